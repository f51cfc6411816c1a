import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { MoestroError } from "../errors.ts";

/** Writes a file so that a reader, or a crash, sees the old content or the new, never half. */
export function writeAtomically(path: string, content: string): void {
  const partial = `${path}.partial`;
  try {
    writeFileSync(partial, content, { flush: true });
    renameSync(partial, path);
    syncDirectory(dirname(path));
  } catch (error) {
    rmSync(partial, { force: true });
    throw writeError(path, error);
  }
}

/** Replaces a file that a reader may be reading; after a power failure it may be the old one. */
export function replaceFile(path: string, content: string): void {
  const partial = `${path}.partial`;
  try {
    writeFileSync(partial, content);
    renameSync(partial, path);
  } catch (error) {
    rmSync(partial, { force: true });
    throw writeError(path, error);
  }
}

/** Makes a rename inside the folder survive a power failure. */
function syncDirectory(path: string): void {
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/** A failed write, told to a person. */
export function writeError(path: string, error: unknown): MoestroError {
  const { code, message } = error as NodeJS.ErrnoException;
  const why =
    code === "ENOSPC" || code === "EDQUOT"
      ? "no space left on the disk; free some, then continue with --resume"
      : `cannot be written: ${message}`;
  return new MoestroError("environment", `${path}: ${why}`);
}
