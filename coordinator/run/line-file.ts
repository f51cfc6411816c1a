import { closeSync, openSync, truncateSync, writeSync } from "node:fs";
import { writeError } from "./files.ts";
import { LineReader } from "./line-reader.ts";

/** Appends JSON lines to a file. A failure leaves none of a line, and is a WriteError. */
export class LineFile {
  readonly #path: string;
  #file: number | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Makes the file, unless it is there; the first line does so too. */
  create(): void {
    try {
      this.#open();
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
      // A disk that fills up takes a part first, which is cut off when it is opened again.
      if (written > 0) this.close();
      throw writeError(this.#path, error);
    }
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
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
