import { createServer } from "node:net";

/** Below those that systems hand out unasked (32768 up, or 49152): what a test chose stays free for it. */
const [FIRST, LAST] = [20_000, 32_000];

/** So many ports in a row that nobody listens at on loopback. */
export async function freePorts(howMany: number): Promise<[number, ...number[]]> {
  for (;;) {
    const first = FIRST + Math.floor(Math.random() * (LAST - FIRST - howMany));
    const more = Array.from({ length: howMany - 1 }, (_, index) => first + 1 + index);
    const free = await Promise.all([first, ...more].map(isFree));
    if (free.every(Boolean)) return [first, ...more];
  }
}

export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  return port;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
