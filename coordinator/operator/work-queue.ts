import { type RetryOptions, retryMs } from "../retry.ts";

export const RETRY_OPTIONS: RetryOptions = {
  ...{ firstMs: 500, mostMs: 60_000 },
  random: Math.random,
};

/** Timers of longer fire at once: who waits longer is looked at meanwhile. */
const MOST_MS = 2 ** 31 - 1;

interface Entry {
  isRunning: boolean;
  /** Asked for while it was running. */
  isDirty: boolean;
  numFailures: number;
  timer: NodeJS.Timeout | undefined;
}

/**
 * Which jobs need a look: each is looked at once at a time, however often it is asked for, and
 * one that fails again after a while that grows. A look that asks for another says in how long.
 */
export class WorkQueue {
  private readonly entries = new Map<string, Entry>();
  private readonly waiting = new Set<string>();
  private numRunning = 0;
  private isClosed = false;
  private readonly look: (key: string) => Promise<number | undefined>;
  private readonly failed: (key: string, error: unknown, retryMs: number) => void;
  private readonly options: RetryOptions & { concurrency: number };

  constructor(
    look: (key: string) => Promise<number | undefined>,
    failed: (key: string, error: unknown, retryMs: number) => void,
    options: RetryOptions & { concurrency: number },
  ) {
    this.look = look;
    this.failed = failed;
    this.options = options;
  }

  /** Asks for a look, now; one that waits for its time is not waited for. */
  add(key: string): void {
    if (this.isClosed) return;
    const entry = this.entryOf(key);
    clearTimeout(entry.timer);
    entry.timer = undefined;
    if (entry.isRunning) entry.isDirty = true;
    else this.waiting.add(key);
    this.start();
  }

  /** Starts no more looks; those under way end by themselves. */
  close(): void {
    this.isClosed = true;
    for (const { timer } of this.entries.values()) clearTimeout(timer);
    this.waiting.clear();
  }

  private entryOf(key: string): Entry {
    const known = this.entries.get(key);
    if (known !== undefined) return known;
    const entry: Entry = { isRunning: false, isDirty: false, numFailures: 0, timer: undefined };
    this.entries.set(key, entry);
    return entry;
  }

  private start(): void {
    while (this.numRunning < this.options.concurrency) {
      const [key] = this.waiting;
      if (key === undefined) return;
      this.waiting.delete(key);
      this.numRunning += 1;
      void this.run(key, this.entryOf(key));
    }
  }

  private async run(key: string, entry: Entry): Promise<void> {
    entry.isRunning = true;
    entry.isDirty = false;
    let againMs: number | undefined;
    try {
      againMs = await this.look(key);
      entry.numFailures = 0;
    } catch (error) {
      entry.numFailures += 1;
      againMs = retryMs(entry.numFailures, this.options);
      this.failed(key, error, againMs);
    }
    entry.isRunning = false;
    this.numRunning -= 1;
    this.next(key, entry, againMs);
    this.start();
  }

  private next(key: string, entry: Entry, againMs: number | undefined): void {
    if (this.isClosed) return;
    // What fails waits its time also if it is asked for: asking is what fails it.
    if (entry.isDirty && entry.numFailures === 0) this.add(key);
    else if (againMs === undefined) this.entries.delete(key);
    else entry.timer = setTimeout(() => this.add(key), Math.min(againMs, MOST_MS));
  }
}
