import { Untold } from "./untold.ts";

/**
 * What of a log's chunks is new after its stream has begun anew. The lines of several
 * ranks come in any order, each with its rank in front; one rank's are plain bytes.
 */
export function newOfLog(hasRanks: boolean) {
  const untold = new Untold();
  const decoder = new TextDecoder();
  let rest = "";
  return {
    again(): void {
      rest = "";
      untold.again();
    },
    take(chunk: Uint8Array): Uint8Array | string {
      if (!hasRanks) return chunk.subarray(chunk.length - untold.take(chunk.length));
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      return lines
        .filter((line) => untold.take(1, line.split(" | ", 1)[0]) > 0)
        .map((line) => `${line}\n`)
        .join("");
    },
  };
}
