import { WriteError } from "./files.ts";

/** The first wait before a write is tried again; each one after it is twice as long, up to the last. */
const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 2000;
/** Writes that wait before neighbours among them are joined. */
const MAX_WAITING = 256;

/** Something to be written: throws WriteError, having written nothing, where it may succeed later. */
export type Write = {
  run(): void | Promise<void>;
  /** This one and the next as one; undefined if each is to be written by itself, or, if memory `isShort`, must. */
  join?(next: Write, isShort: boolean): Write | undefined;
};

export type WriteQueueOptions = {
  /** Whether one may write now: another coordinator may lead. */
  mayWrite(): boolean;
  /** Writes wait, for this reason; told again for another file. */
  stuck(error: WriteError): void;
  /** All that waited is written. */
  unstuck(): void;
};

/**
 * Writes in the order given: at once, as long as that succeeds. What fails is tried again
 * until it succeeds, and what comes meanwhile waits behind it, joined where there is much
 * of it, so that the memory it takes is bounded. Nothing is lost, and nothing written twice.
 */
export class WriteQueue {
  readonly #options: WriteQueueOptions;
  /** The first is being written, or is tried again. */
  #waiting: Write[] = [];
  #retryMs = FIRST_RETRY_MS;
  #timer: NodeJS.Timeout | undefined;
  #problem: WriteError | undefined;
  /** Why nothing more is written. */
  #end: Error | undefined;
  /** What those wait for who want all of it written. */
  #awaited: PromiseWithResolvers<void> | undefined;

  constructor(options: WriteQueueOptions) {
    this.#options = options;
  }

  /** Why nothing more is written; undefined while that is not so. */
  get end(): Error | undefined {
    return this.#end;
  }

  /** Why writes wait; undefined if they do not. */
  get problem(): WriteError | undefined {
    return this.#problem;
  }

  add(write: Write): void {
    // What could not be written was given up, and all behind it with it.
    if (this.#end instanceof WriteError) return;
    if (this.#end) throw this.#end;
    this.#waiting.push(write);
    if (this.#waiting.length === 1) this.#pump();
    else if (this.#waiting.length > MAX_WAITING) this.#makeRoom();
    if (this.#end) throw this.#end;
  }

  /** Settles once all is written; rejects if the queue is closed first, with the reason. */
  async drained(): Promise<void> {
    if (this.#end) throw this.#end;
    if (this.#waiting.length === 0) return;
    this.#awaited ??= Promise.withResolvers();
    await this.#awaited.promise;
  }

  /** What waits is not waited for any more: whoever does is told why it was. */
  close(reason: Error): void {
    if (this.#end) return;
    clearTimeout(this.#timer);
    this.#end = reason;
    this.#waiting = [];
    this.#awaited?.reject(reason);
  }

  #pump(): void {
    for (let [write] = this.#waiting; write; [write] = this.#waiting) {
      if (!this.#options.mayWrite()) {
        this.#retryLater(FIRST_RETRY_MS);
        return;
      }
      try {
        const pending = write.run();
        if (pending) {
          pending.then(
            () => this.#goOn(),
            (error: Error) => this.#failed(error),
          );
          return;
        }
      } catch (error) {
        this.#failed(error as Error);
        return;
      }
      this.#waiting.shift();
    }
    this.#retryMs = FIRST_RETRY_MS;
    if (this.#problem) {
      this.#problem = undefined;
      this.#options.unstuck();
    }
    // What tells that all is written may itself be written later.
    if (this.#waiting.length > 0 || this.#end) return;
    this.#awaited?.resolve();
    this.#awaited = undefined;
  }

  #goOn(): void {
    if (this.#end) return;
    this.#waiting.shift();
    this.#pump();
  }

  #failed(error: Error): void {
    if (this.#end) return;
    if (!(error instanceof WriteError)) {
      this.close(error);
      return;
    }
    const isNew = this.#problem?.problem !== error.problem;
    this.#problem = error;
    this.#retryLater(this.#retryMs);
    this.#retryMs = Math.min(2 * this.#retryMs, LAST_RETRY_MS);
    if (isNew) this.#options.stuck(error);
  }

  #retryLater(ms: number): void {
    this.#timer = setTimeout(() => this.#pump(), ms);
  }

  #makeRoom(): void {
    this.#joinNeighbours(false);
    if (this.#waiting.length > MAX_WAITING) this.#joinNeighbours(true);
  }

  /** Two into one; the first may be half done. */
  #joinNeighbours(isShort: boolean): void {
    const [first, ...others] = this.#waiting;
    const joined: Write[] = first ? [first] : [];
    for (let index = 0; index < others.length; index += 1) {
      const [one, next] = [others[index], others[index + 1]];
      if (!one) break;
      const both = next && one.join?.(next, isShort);
      if (both) index += 1;
      joined.push(both ?? one);
    }
    this.#waiting = joined;
  }
}
