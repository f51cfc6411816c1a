import { open } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const CHUNK_BYTES = 64 * 1024;
const POLL_MS = 200;

/**
 * The lines of a file without their ends, and those that are appended to it until `isOver`
 * says that nothing more comes or `signal` aborts. A file that is not there yet is waited
 * for, and so is the end of a last line that has none.
 */
export async function* followLines(
  path: string,
  isOver: () => Promise<boolean>,
  signal: AbortSignal,
  pollMs = POLL_MS,
): AsyncIterable<string> {
  const decoder = new TextDecoder();
  let [offset, rest] = [0, ""];
  while (!signal.aborted) {
    // Asked before the last look, so that nothing written before the end is missed.
    const over = await isOver();
    for (;;) {
      const chunk = await readFrom(path, offset);
      if (chunk.length === 0) break;
      offset += chunk.length;
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      yield* lines;
      if (signal.aborted) return;
    }
    if (over) break;
    await sleep(pollMs);
  }
  if (rest !== "") yield rest;
}

/** The next bytes of a file behind `offset`; none at its end, and of one that is not there. */
export async function readFrom(path: string, offset: number): Promise<Uint8Array> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return new Uint8Array();
    throw error;
  }
  try {
    const { bytesRead, buffer } = await file.read(
      new Uint8Array(CHUNK_BYTES),
      ...[0, CHUNK_BYTES, offset],
    );
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
