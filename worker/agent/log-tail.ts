import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** Lines of a rank's log that go with the news of its end. */
const TAIL_LINES = 50;
const TAIL_BYTES = 64 * 1024;

/** The last lines of a log, of what lies behind `fromByte`; none if it cannot be read. */
export function tailOf(path: string, fromByte = 0): string[] {
  const text = readEnd(path, fromByte).trimEnd();
  return text === "" ? [] : text.split("\n").slice(-TAIL_LINES);
}

/** At most the last 64 KiB of what lies behind `fromByte`. */
export function readEnd(path: string, fromByte = 0): string {
  try {
    const file = openSync(path, "r");
    try {
      const { size } = fstatSync(file);
      const length = Math.max(0, Math.min(size - fromByte, TAIL_BYTES));
      const bytes = Buffer.alloc(length);
      readSync(file, bytes, 0, length, size - length);
      return bytes.toString("utf8");
    } finally {
      closeSync(file);
    }
  } catch {
    return "";
  }
}
