import { connect, createServer, type Server, type Socket } from "node:net";

/** Answers in a second; who asks faster is cut off. */
const MAX_ANSWERS_A_SECOND = 50;
/** Nothing is asked of the listener, so nothing needs to be read. */
const MAX_INPUT_BYTES = 64;
const MAX_ANSWER_BYTES = 256;
const LINGER_MS = 1000;

export type ProbeListener = { port: number; close(): void };

/**
 * Answers everyone who connects with one line, the agent's id and incarnation: whether
 * this agent lives is no secret, and its peers' word for it keeps its ranks from being
 * ended when the coordinator cannot hear it.
 */
export async function listenForProbes(
  host: string,
  port: number,
  answer: string,
): Promise<ProbeListener> {
  let answersLeft = MAX_ANSWERS_A_SECOND;
  const refill = setInterval(() => {
    answersLeft = MAX_ANSWERS_A_SECOND;
  }, 1000).unref();
  const server = createServer((socket: Socket) => {
    socket.on("error", () => socket.destroy());
    if (answersLeft <= 0) {
      socket.destroy();
      return;
    }
    answersLeft -= 1;
    let numRead = 0;
    socket.on("data", (chunk: Buffer) => {
      numRead += chunk.length;
      if (numRead > MAX_INPUT_BYTES) socket.destroy();
    });
    socket.setTimeout(LINGER_MS, () => socket.destroy());
    socket.end(`${answer}\n`);
  });
  await listen(server, host, port);
  server.unref();
  const address = server.address();
  return {
    port: typeof address === "object" && address ? address.port : 0,
    close: () => {
      clearInterval(refill);
      server.close();
    },
  };
}

/** What came of a question: `connected` says whether the other machine took the connection. */
export type Probed = { answered: boolean; connected: boolean; why: string };

/** Asks another agent whether it lives. */
export function probe(
  agentId: string,
  { host, port, timeoutMs }: { host: string; port: number; timeoutMs: number },
): Promise<Probed> {
  return new Promise((resolve) => {
    let connected = false;
    const socket = connect({ host, port }, () => {
      connected = true;
    });
    let text = "";
    const settle = (why: string) => {
      clearTimeout(deadline);
      socket.destroy();
      resolve({ answered: why === "", connected, why });
    };
    const deadline = setTimeout(() => settle(`no answer within ${timeoutMs} ms`), timeoutMs);
    socket.on("error", (error) => settle(error.message));
    socket.on("end", () => settle("it closed the connection without an answer"));
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("utf8");
      if (!text.includes("\n")) {
        if (text.length > MAX_ANSWER_BYTES) settle("it answers something else");
        return;
      }
      const [id] = text.split(/\s/);
      settle(id === agentId ? "" : `another answers there: ${id?.slice(0, 64)}`);
    });
  });
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    // For good: what fails later, such as one accept, ends nothing.
    server.on("error", (error) => {
      reject(new Error(`--probe-listen ${host}:${port}: ${error.message}; choose another`));
    });
    server.listen({ host, port }, resolve);
  });
}
