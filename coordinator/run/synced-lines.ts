import { statSync, truncateSync } from "node:fs";
import { writeError } from "./files.ts";
import { LineFile } from "./line-file.ts";

/**
 * A file of lines that is synced now and then. What was appended since is kept in memory: a
 * disk that did not take it after all, as a network's may tell only then, may have dropped
 * any of it, so it is written again from where the file was whole.
 */
export class SyncedLines {
  readonly #path: string;
  readonly #lines: LineFile;
  readonly #sync: (lines: LineFile) => Promise<void>;
  /** Appended since the last sync. */
  #unsynced: object[] = [];
  /** How much of the file is whole; undefined until something is appended. */
  #syncedBytes: number | undefined;
  #isDoubtful = false;

  /** `sync` brings a file's lines to the disk. */
  constructor(path: string, sync = (lines: LineFile) => lines.sync()) {
    this.#path = path;
    this.#lines = new LineFile(path);
    this.#sync = sync;
  }

  /** Opens the file, making it if it is not there; somebody else may have cut it. */
  open(): void {
    this.#unsynced = [];
    this.#syncedBytes = this.#lines.sizeBytes;
  }

  append(line: object): void {
    this.#repair();
    if (this.#syncedBytes === undefined) this.open();
    try {
      this.#lines.append(line);
    } catch (error) {
      // The file was closed, which on a network's disk may drop lines and tell nobody.
      this.#isDoubtful = true;
      throw error;
    }
    this.#unsynced.push(line);
  }

  /** Settles once the disk has all that was appended; nothing may be appended meanwhile. */
  async sync(): Promise<void> {
    this.#repair();
    if (this.#unsynced.length === 0) return;
    try {
      await this.#sync(this.#lines);
    } catch (error) {
      this.#isDoubtful = true;
      throw error;
    }
    this.#unsynced = [];
    this.#syncedBytes = this.#lines.sizeBytes;
  }

  close(): void {
    this.#lines.close();
  }

  #repair(): void {
    if (!this.#isDoubtful) return;
    this.#lines.close();
    const whole = this.#syncedBytes ?? 0;
    try {
      if (statSync(this.#path).size > whole) truncateSync(this.#path, whole);
    } catch (error) {
      throw writeError(this.#path, error);
    }
    for (const line of this.#unsynced) this.#lines.append(line);
    this.#isDoubtful = false;
  }
}
