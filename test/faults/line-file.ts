import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** The JSON lines of a file that grows, and is replaced at times; each is read once. */
export class LineFile<Record> {
  readonly #path: string;
  #records: Record[] = [];
  #inode = 0;
  #offset = 0;
  #rest = "";

  constructor(path: string) {
    this.#path = path;
  }

  /** All there are now. */
  read(): readonly Record[] {
    let file: number;
    try {
      file = openSync(this.#path, "r");
    } catch {
      return this.#records;
    }
    try {
      const { ino, size } = fstatSync(file);
      if (ino !== this.#inode || size < this.#offset) {
        this.#records = [];
        this.#inode = ino;
        this.#offset = 0;
        this.#rest = "";
      }
      const buffer = Buffer.alloc(size - this.#offset);
      const length = readSync(file, buffer, 0, buffer.length, this.#offset);
      this.#offset += length;
      const lines = (this.#rest + buffer.toString("utf8", 0, length)).split("\n");
      this.#rest = lines.pop() ?? "";
      for (const line of lines) this.#records.push(JSON.parse(line) as Record);
      return this.#records;
    } finally {
      closeSync(file);
    }
  }
}
