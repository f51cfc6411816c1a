import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  renameSync,
  statSync,
  writeSync,
} from "node:fs";
import { MoestroError } from "../errors.ts";
import { withFileLock } from "../store/file-lock.ts";

export type RotatingFileOptions = {
  /** A file that is larger becomes `path.1`. */
  maxBytes: number;
  /** Older ones are kept up to `path.<numKept>`. */
  numKept: number;
  /** Why it could not be rotated: it goes on growing. */
  failed(why: string): void;
};

/**
 * A file of lines that only its owner can read. Several processes may append to it: each
 * line is one write, and one that another process's rotation overtakes is in `path.1`.
 */
export class RotatingFile {
  readonly #path: string;
  readonly #options: RotatingFileOptions;
  #file: number;
  #isRotating = false;

  constructor(path: string, options: RotatingFileOptions) {
    this.#path = path;
    this.#options = options;
    this.#file = open(path);
  }

  /** Throws what the operating system says if the line cannot be written. */
  append(line: string): void {
    this.#follow();
    writeSync(this.#file, line);
    if (this.#isFull()) void this.#rotate();
  }

  close(): void {
    closeSync(this.#file);
  }

  #isFull(): boolean {
    return fstatSync(this.#file).size > this.#options.maxBytes;
  }

  /** Another process may have rotated it: what is written from now on goes into the new one. */
  #follow(): void {
    try {
      const [own, there] = [fstatSync(this.#file), statSync(this.#path, { throwIfNoEntry: false })];
      if (there?.ino === own.ino && there.dev === own.dev) return;
      const next = open(this.#path);
      closeSync(this.#file);
      this.#file = next;
    } catch {
      // The one that is open still takes lines.
    }
  }

  /** Nothing waits for it: lines go on into the file that is open. */
  async #rotate(): Promise<void> {
    if (this.#isRotating) return;
    this.#isRotating = true;
    try {
      // Who comes second leaves it to the first, without waiting.
      await withFileLock(`${this.#path}.lock`, 0, async () => {
        this.#follow();
        if (!this.#isFull()) return;
        const { numKept } = this.#options;
        for (let age = numKept - 1; age >= 0; age -= 1) {
          if (existsSync(this.#at(age))) renameSync(this.#at(age), this.#at(age + 1));
        }
        this.#follow();
      });
    } catch (error) {
      if (!(error instanceof MoestroError)) this.#options.failed((error as Error).message);
    } finally {
      this.#isRotating = false;
    }
  }

  #at(age: number): string {
    return age === 0 ? this.#path : `${this.#path}.${age}`;
  }
}

function open(path: string): number {
  return openSync(path, "a", 0o600);
}
