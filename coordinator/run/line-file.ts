import { closeSync, fdatasync, fstatSync, openSync, truncateSync, writeSync } from "node:fs";
import { promisify } from "node:util";
import { writeError } from "./files.ts";
import { LineReader } from "./line-reader.ts";

/** What a file system says that cannot sync a file: there is nothing to wait for then. */
const CANNOT_SYNC = new Set(["EINVAL", "ENOSYS", "ENOTSUP", "EOPNOTSUPP"]);

/** Appends JSON lines to a file. A failure leaves none of a line, and is a WriteError. */
export class LineFile {
  readonly #path: string;
  #file: number | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Of the file that lines go to, which is made unless it is there, whatever is at its path by now. */
  get sizeBytes(): number {
    try {
      return fstatSync(this.#open()).size;
    } catch (error) {
      throw writeError(this.#path, error);
    }
  }

  append(record: object): void {
    const line = Buffer.from(`${JSON.stringify(record)}\n`);
    let written = 0;
    try {
      const file = this.#open();
      while (written < line.length) written += writeSync(file, line, written);
    } catch (error) {
      // Opened anew, a network's file may be found again; what part a disk that fills up took is cut off.
      this.close();
      throw writeError(this.#path, error);
    }
  }

  /** Settles once the disk has what is written; a WriteError if it may lack some of it. */
  async sync(): Promise<void> {
    if (this.#file === undefined) return;
    try {
      await promisify(fdatasync)(this.#file);
    } catch (error) {
      if (!CANNOT_SYNC.has((error as NodeJS.ErrnoException).code ?? "")) {
        throw writeError(this.#path, error);
      }
    }
  }

  close(): void {
    const file = this.#file;
    // Whatever closing says, its number may be another file's from now on.
    this.#file = undefined;
    try {
      if (file !== undefined) closeSync(file);
    } catch {
      // A network's disk may tell here of what it did not take: what must be there is synced.
    }
  }

  #open(): number {
    if (this.#file !== undefined) return this.#file;
    cutTornLine(this.#path);
    this.#file = openSync(this.#path, "a");
    return this.#file;
  }
}

/** Takes off a last line that a crash or a full disk cut short: it was never told to be there. */
export function cutTornLine(path: string): void {
  const end = LineReader.read(path, (lines) => (lines.end < lines.size ? lines.end : undefined));
  if (end !== undefined) truncateSync(path, end);
}
