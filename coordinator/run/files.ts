import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
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
    removeIfPossible(partial);
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
    removeIfPossible(partial);
    throw writeError(path, error);
  }
}

/** Makes a folder and those above it, unless they are there. */
export function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    throw writeError(path, error);
  }
}

/** What keeps a file from being written may keep it from being removed too; the next try replaces it. */
function removeIfPossible(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {}
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

/** Something could not be written; it may succeed later, as once there is space. */
export class WriteError extends MoestroError {
  /** Which file, and what is wrong with it; no remedy. */
  readonly problem: string;
  /** What to do about it before it is tried again. */
  readonly remedy: string;
  /** The folder is not there, so it will not succeed later either. */
  readonly isGone: boolean;

  constructor(path: string, { code, message }: NodeJS.ErrnoException) {
    const isFull = code === "ENOSPC" || code === "EDQUOT";
    const problem = `${path}: ${isFull ? "no space left on the disk" : `cannot be written: ${message}`}`;
    super("environment", isFull ? `${problem}; free some, then continue with --resume` : problem);
    this.name = "WriteError";
    this.problem = problem;
    this.isGone = code === "ENOENT";
    this.remedy = isFull ? "free some" : "see to it";
  }
}

/** A failed write, told to a person. */
export function writeError(path: string, error: unknown): WriteError {
  return new WriteError(path, error as NodeJS.ErrnoException);
}
