import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** Bytes before the place read up to that tell whether what was read still stands there. */
const NUM_KNOWN_BYTES = 64;

/** The JSON lines of a file that grows, and loses its last ones at times; each is read once. */
export class LineFile<Record> {
  readonly #path: string;
  #records: Record[] = [];
  #offset = 0;
  #known = Buffer.alloc(0);
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
      if (!this.#knownStands(file)) {
        this.#records = [];
        this.#offset = 0;
        this.#known = Buffer.alloc(0);
        this.#rest = "";
      }
      const buffer = Buffer.alloc(fstatSync(file).size - this.#offset);
      const length = readSync(file, buffer, 0, buffer.length, this.#offset);
      const read = buffer.subarray(0, length);
      this.#offset += length;
      this.#known = Buffer.concat([this.#known, read]).subarray(-NUM_KNOWN_BYTES);
      const lines = (this.#rest + read.toString("utf8")).split("\n");
      this.#rest = lines.pop() ?? "";
      for (const line of lines) this.#records.push(JSON.parse(line) as Record);
      return this.#records;
    } finally {
      closeSync(file);
    }
  }

  #knownStands(file: number): boolean {
    const { length } = this.#known;
    const found = Buffer.alloc(length);
    readSync(file, found, 0, length, this.#offset - length);
    return found.equals(this.#known);
  }
}
