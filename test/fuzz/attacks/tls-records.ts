import { setTimeout as sleep } from "node:timers/promises";
import { mutated, randomBytes } from "../bytes.ts";
import { type Attack, anyPort, openTcp } from "../target.ts";

/** The record around a handshake message, whose content follows. */
const record = (content: Buffer, type = 22): Buffer => {
  const header = Buffer.from([type, 3, 1, content.length >> 8, content.length & 255]);
  return Buffer.concat([header, content]);
};

/** The beginning of a ClientHello: version, random, no session, two suites. */
const HELLO = Buffer.from(
  `010000${"2f"}0303${"ab".repeat(32)}000004130113020100000200170000`,
  "hex",
);

/** What no TLS library sends: other protocols, cut and changed handshakes, endless records. */
export const tlsRecords: Attack = async (target, random) => {
  const socket = await openTcp(target, anyPort(target, random));
  target.count("TLS records");
  if (!socket) return;
  socket.on("data", () => {});
  for (let left = random.whole(1, 4); left > 0 && !socket.destroyed; left -= 1) {
    socket.write(
      random.pick([
        () => randomBytes(random, 4096),
        () => record(mutated(HELLO, random)),
        () => record(randomBytes(random, 16_384), random.whole(0, 255)),
        () => Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        () => Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
      ])(),
    );
    await sleep(random.whole(0, 20));
  }
  if (random.next() < 0.5) socket.resetAndDestroy();
  else socket.destroy();
};
