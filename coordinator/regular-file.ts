import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";

/** Opening for reading returns at once with it, also where nobody writes into a pipe. */
export const WITHOUT_WAITING = constants.O_RDONLY | constants.O_NONBLOCK;

/** What of an error's code says that something is there, and no file to be read. */
export const NOT_REGULAR = "EFTYPE";

/** @throws an error of code `NOT_REGULAR` for pipes, devices and sockets, whose reading may never end */
export function requireRegular(stats: { isFile(): boolean; isDirectory(): boolean }): void {
  if (stats.isFile()) return;
  const code = stats.isDirectory() ? "EISDIR" : NOT_REGULAR;
  throw Object.assign(new Error("is no regular file"), { code });
}

/**
 * The text of a file that somebody else may have put there.
 *
 * @throws an error of code `NOT_REGULAR`, or `EFBIG` if it is longer than `maxBytes`
 */
export function readRegularFileSync(path: string, maxBytes: number): string {
  const file = openSync(path, WITHOUT_WAITING);
  try {
    const stats = fstatSync(file);
    requireRegular(stats);
    if (stats.size > maxBytes) {
      throw Object.assign(new Error(`is longer than ${maxBytes} bytes`), { code: "EFBIG" });
    }
    return readFileSync(file, "utf8");
  } finally {
    closeSync(file);
  }
}
