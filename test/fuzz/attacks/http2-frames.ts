import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../../faults/random.ts";
import { randomBytes } from "../bytes.ts";
import { type Attack, openTls } from "../target.ts";

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const SETTINGS = frame(4, 0, 0, Buffer.alloc(0));
/** RFC 9113, section 6: DATA to CONTINUATION, and some that do not exist. */
const MOST_TYPE = 12;
const HEADERS = 1;
const RST_STREAM = 3;
const PING = 6;

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(stream >>> 0, 5);
  return Buffer.concat([header, payload]);
}

/** Frames of any kind, with any flags, of any stream, as long as they like. */
function anyFrame(random: Random): Buffer {
  const stream = random.pick([0, 1, 2, 3, 5, 0x7fffffff, 0xffffffff]);
  const made = frame(
    ...([random.whole(0, MOST_TYPE), random.whole(0, 255), stream] as const),
    randomBytes(random, random.pick([0, 4, 5, 6, 8, 64, 1024])),
  );
  // A length that is not that of the payload.
  if (random.next() < 0.2) made.writeUIntBE(random.whole(0, 0xffffff), 0, 3);
  return made;
}

/** The same frame again and again: settings, pings, streams opened and reset at once. */
function flood(random: Random): Buffer {
  const kind = random.pick(["settings", "ping", "reset", "empty"]);
  const frames = Array.from({ length: random.whole(10, 500) }, (_, index) => {
    if (kind === "settings") return SETTINGS;
    if (kind === "ping") return frame(PING, 0, 0, Buffer.alloc(8));
    const stream = 2 * index + 1;
    if (kind === "empty") return frame(0, 0, stream, Buffer.alloc(0));
    const opened = frame(HEADERS, 4, stream, Buffer.from([0x83, 0x87, 0x84]));
    return Buffer.concat([opened, frame(RST_STREAM, 0, stream, Buffer.alloc(4))]);
  });
  return Buffer.concat(frames);
}

/** Garbage inside TLS, of somebody with a certificate and of nobody. */
export const http2Frames: Attack = async (target, random) => {
  const toJoin = random.next() < 0.3;
  const caller = random.pick(target.callers);
  const socket = await openTls(target, toJoin ? target.joinPort : target.port, caller);
  target.count("HTTP/2 frames");
  if (!socket) return;
  socket.on("data", () => {});
  if (random.next() < 0.9) socket.write(Buffer.concat([PREFACE, SETTINGS]));
  for (let left = random.whole(1, 12); left > 0 && !socket.destroyed; left -= 1) {
    socket.write(random.next() < 0.2 ? flood(random) : anyFrame(random));
    if (random.next() < 0.3) await sleep(random.whole(0, 10));
  }
  await sleep(random.whole(0, 50));
  socket.destroy();
};
