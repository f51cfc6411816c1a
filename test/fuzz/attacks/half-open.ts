import { setTimeout as sleep } from "node:timers/promises";
import { randomBytes } from "../bytes.ts";
import { type Attack, anyPort, openTcp, openTls } from "../target.ts";

const MOST_MS = 3000;

/** Connections that are begun and left: before, within and after the handshake. */
export const halfOpen: Attack = async (target, random) => {
  const port = anyPort(target, random);
  const count = random.whole(5, 30);
  const open = () =>
    random.next() < 0.5
      ? openTcp(target, port)
      : openTls(target, port, random.pick(target.callers));
  const sockets = await Promise.all(Array.from({ length: count }, open));
  for (const socket of sockets) {
    target.count("connections left open");
    if (socket && random.next() < 0.5) socket.write(randomBytes(random, 16));
  }
  await sleep(random.whole(0, MOST_MS), undefined, { signal: target.signal }).catch(() => {});
  for (const socket of sockets) socket?.destroy();
};
