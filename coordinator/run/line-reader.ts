import { closeSync, fstatSync, openSync, readSync } from "node:fs";

const BLOCK_BYTES = 64 * 1024;
const NEWLINE = 10;

/** A line without its end; `next` is where the one behind it begins. */
export type Line = { text: string; offset: number; next: number };

/**
 * The whole lines of a file of any length, found without reading it through. A last line
 * without an end was cut short and is none.
 */
export class LineReader {
  readonly #file: number;
  /** Of the file. */
  readonly size: number;
  /** Behind the last line. */
  readonly end: number;
  #ahead: { from: number; block: Buffer } = { from: 0, block: Buffer.alloc(0) };

  private constructor(file: number) {
    this.#file = file;
    this.size = fstatSync(file).size;
    this.end = this.#startOf(this.size);
  }

  /** Hands the file's lines to `use`; a file that is not there has none. */
  static read<Result>(path: string, use: (lines: LineReader) => Result): Result | undefined {
    const file = openIfThere(path);
    if (file === undefined) return undefined;
    try {
      return use(new LineReader(file));
    } finally {
      closeSync(file);
    }
  }

  get last(): Line | undefined {
    return this.end === 0 ? undefined : this.#at(this.#startOf(this.end - 1));
  }

  /** The line before this one; undefined if it is the first. */
  before({ offset }: Line): Line | undefined {
    return offset === 0 ? undefined : this.#at(this.#startOf(offset - 1));
  }

  /**
   * The first line before `end` for which `isBehind` holds, in a file in which it holds for
   * all that follow such a one; undefined if it holds for none. Of a line that cannot tell,
   * for which it is undefined, the one before is asked. Few lines are read.
   */
  find(isBehind: (text: string) => boolean | undefined, end = this.end): Line | undefined {
    let from = 0;
    let to = end;
    let found: Line | undefined;
    while (from < to) {
      const middle = this.#at(this.#startOf(from + Math.floor((to - from) / 2)));
      let line = middle;
      let behind = isBehind(line.text);
      while (behind === undefined && line.offset > from) {
        line = this.before(line) ?? line;
        behind = isBehind(line.text);
      }
      if (behind) {
        found = line;
        to = line.offset;
        // A file that has become shorter meanwhile ends here.
      } else if (middle.next > from) from = middle.next;
      else break;
    }
    return found;
  }

  /** The lines from this offset on, where one begins. */
  *from(offset: number): Generator<Line> {
    for (let next = offset; next < this.end; ) {
      const line = this.#at(next);
      // The file has become shorter meanwhile.
      if (line.next <= next) return;
      next = line.next;
      yield line;
    }
  }

  #at(offset: number): Line {
    const blocks: Buffer[] = [];
    for (let from = offset; ; ) {
      const block = this.#blockFrom(from);
      const length = block.indexOf(NEWLINE);
      if (length >= 0 || block.length === 0) {
        blocks.push(block.subarray(0, Math.max(0, length)));
        return { text: Buffer.concat(blocks).toString("utf8"), offset, next: from + length + 1 };
      }
      blocks.push(block);
      from += block.length;
    }
  }

  /** Where the line begins that has the byte before or at this offset. */
  #startOf(offset: number): number {
    for (let to = offset; to > 0; ) {
      const from = Math.max(0, to - BLOCK_BYTES);
      const newline = this.#block(from, to - from).lastIndexOf(NEWLINE);
      if (newline >= 0) return from + newline + 1;
      to = from;
    }
    return 0;
  }

  /** Of what was read last, for lines that follow each other, or what follows in the file. */
  #blockFrom(offset: number): Buffer {
    const { from, block } = this.#ahead;
    if (offset >= from && offset < from + block.length) return block.subarray(offset - from);
    this.#ahead = { from: offset, block: this.#block(offset, BLOCK_BYTES) };
    return this.#ahead.block;
  }

  #block(offset: number, numBytes: number): Buffer {
    const block = Buffer.allocUnsafe(numBytes);
    return block.subarray(0, readSync(this.#file, block, 0, numBytes, offset));
  }
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
