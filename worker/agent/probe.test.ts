import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { listenForProbes, type ProbeListener, probe } from "./probe.ts";

const HOST = "127.0.0.1";
let listener: ProbeListener;

before(async () => {
  listener = await listenForProbes(HOST, 0, "node-7 0123abcd");
});
after(() => listener.close());

const at = (port: number, timeoutMs = 2000) => ({ host: HOST, port, timeoutMs });

/** What a connection that sends `bytes` gets before it ends. */
function answerTo(bytes: Buffer): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(listener.port, HOST);
    let text = "";
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.on("close", () => resolve(text));
    socket.write(bytes);
  });
}

test("an agent that lives is told from another that has taken its place", async () => {
  const lives = { answered: true, connected: true, why: "" };
  assert.deepEqual(await probe("node-7", at(listener.port)), lives);
  const { answered, why } = await probe("node-8", at(listener.port));
  assert.deepEqual([answered, why], [false, "another answers there: node-7"]);
});

test("nobody, somebody who says nothing, and somebody who says something else do not count", async () => {
  const refused = await probe("node-7", at(1));
  assert.match(refused.why, /ECONNREFUSED/);
  assert.equal(refused.connected, false);
  const sockets: Socket[] = [];
  const silent = createServer((socket) => sockets.push(socket)).listen(0, HOST);
  const chatty = createServer((socket) => socket.end("x".repeat(1000))).listen(0, HOST);
  await Promise.all([once(silent, "listening"), once(chatty, "listening")]);
  const port = (server: typeof silent) => (server.address() as { port: number }).port;
  const stopped = { answered: false, connected: true, why: "no answer within 100 ms" };
  assert.deepEqual(await probe("node-7", at(port(silent), 100)), stopped);
  assert.equal((await probe("node-7", at(port(chatty)))).why, "it answers something else");
  for (const socket of sockets) socket.destroy();
  silent.close();
  chatty.close();
});

test("who sends much gets one line and is cut off", async () => {
  const text = await answerTo(Buffer.alloc(1_000_000, "x"));
  assert.ok(text === "" || text === "node-7 0123abcd\n", "the cut may overtake the line");
});

test("who asks again and again is not answered each time", async () => {
  const answers = await Promise.all(Array.from({ length: 300 }, () => answerTo(Buffer.alloc(0))));
  const numAnswered = answers.filter((text) => text !== "").length;
  assert.ok(numAnswered >= 1 && numAnswered < 300);
});

test("a port that is taken is told with the flag that names another", async () => {
  await assert.rejects(
    listenForProbes(HOST, listener.port, "x"),
    /^Error: --probe-listen 127\.0\.0\.1:\d+: .*EADDRINUSE.*; choose another$/,
  );
});
