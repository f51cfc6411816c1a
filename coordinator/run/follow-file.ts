import { closeSync, existsSync, openSync, readSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const CHUNK_BYTES = 64 * 1024;
const POLL_MS = 200;

/**
 * What a file holds, and what is appended to it until `isOver` says that nothing more
 * comes or `signal` aborts. A file that is not there yet is waited for.
 */
export async function* followFile(
  path: string,
  isOver: () => boolean | Promise<boolean>,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  let offset = 0;
  while (!signal.aborted) {
    // Asked before the last look, so that nothing written before the end is missed.
    const over = await isOver();
    for (let chunk = read(path, offset); chunk.length > 0; chunk = read(path, offset)) {
      offset += chunk.length;
      yield chunk;
      if (signal.aborted) return;
    }
    if (over) return;
    await sleep(POLL_MS);
  }
}

/** The same, line by line, without their ends. A last line that has no end yet waits for it. */
export async function* followLines(
  path: string,
  isOver: () => boolean | Promise<boolean>,
  signal: AbortSignal,
): AsyncIterable<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of followFile(path, isOver, signal)) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}

function read(path: string, offset: number): Uint8Array {
  if (!existsSync(path)) return new Uint8Array();
  const file = openSync(path, "r");
  try {
    const bytes = new Uint8Array(CHUNK_BYTES);
    return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, offset));
  } finally {
    closeSync(file);
  }
}
