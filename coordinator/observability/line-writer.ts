import { write, writeSync } from "node:fs";

/** Text kept for a reader that is slow; later lines are dropped, and the process goes on. */
const MAX_BACKLOG_BYTES = 4 * 1024 * 1024;
/** A write that takes longer has a reader that does not read. */
const STUCK_MS = 1000;
const RETRY_MS = 100;

/**
 * Writes lines to a file descriptor beside the event loop, so that whoever reads them, or
 * a full disk, holds up neither the process nor its end. What cannot be written is lost.
 */
export class LineWriter {
  readonly #fd: number;
  #waiting: string[] = [];
  #waitingBytes = 0;
  #writing: { rest: Buffer; sinceMs: number } | undefined;

  constructor(fd: number) {
    this.#fd = fd;
    process.once("exit", () => this.#flush());
  }

  write(line: string): void {
    const bytes = Buffer.byteLength(line);
    if (this.#waitingBytes + bytes > MAX_BACKLOG_BYTES) return;
    this.#waiting.push(line);
    this.#waitingBytes += bytes;
    this.#next();
  }

  #next(): void {
    if (this.#writing || this.#waiting.length === 0) return;
    this.#writing = { rest: this.#take(), sinceMs: performance.now() };
    this.#go(this.#writing);
  }

  #go(writing: { rest: Buffer; sinceMs: number }): void {
    write(this.#fd, writing.rest, (error, written) => {
      // A pipe that others have made non-blocking is full.
      if (error?.code === "EAGAIN") {
        setTimeout(() => this.#go(writing), RETRY_MS).unref();
        return;
      }
      writing.rest = error ? Buffer.alloc(0) : writing.rest.subarray(written);
      if (writing.rest.length > 0) {
        writing.sinceMs = performance.now();
        this.#go(writing);
        return;
      }
      this.#writing = undefined;
      this.#next();
    });
  }

  #take(): Buffer {
    const text = this.#waiting.join("");
    this.#waiting = [];
    this.#waitingBytes = 0;
    return Buffer.from(text);
  }

  /** At the process's end; what a write is under way for, its thread still writes. */
  #flush(): void {
    const isStuck = this.#writing && performance.now() - this.#writing.sinceMs > STUCK_MS;
    const rest = this.#take();
    if (isStuck || rest.length === 0) return;
    try {
      writeSync(this.#fd, rest);
    } catch {
      // There is nowhere left to tell of it.
    }
  }
}
