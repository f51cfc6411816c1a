import { HangDeadline } from "./hang.ts";

/** Between two looks at whether the ranks still make steps. */
const WATCH_MS = 500;
/** A last checkpoint, and a sample, may take this long. */
const ENDING_MS = 10 * 60 * 1000;
/** From asking for the stacks of ranks that hang to ending them. */
const STACKS_MS = 1500;

export type HangWatchOptions = {
  /** Whether ranks train and, if they make a step, are heard of. */
  isTraining(): boolean;
  /** Whether the last step is behind them: they write, and sample. */
  isEnding(): boolean;
  /** They make no step: it is time to take their stacks. */
  hanging(reason: string): void;
  /** They have made none since; all that can be known is known. */
  hung(reason: string): void;
};

/** Watches whether ranks whose agents are all heard of still make steps. */
export class HangWatch {
  readonly #options: HangWatchOptions;
  readonly #deadline = new HangDeadline();
  readonly #timer: NodeJS.Timeout;
  #progressAtMs = 0;
  /** Since when a step would have been heard of: nobody was away, nor this process stopped. */
  #listensSinceMs = 0;
  #lookedAtMs = performance.now();
  #closed = false;

  constructor(options: HangWatchOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#look(), WATCH_MS).unref();
  }

  /** When ranks were last known to make a step; of the clock of `performance.now`. */
  get progressAtMs(): number {
    return this.#progressAtMs;
  }

  /** All ranks stand: the next thing is a step. */
  begin(): void {
    this.#progressAtMs = performance.now();
  }

  /** A step was made, in `stepMs`. */
  step(stepMs: number): void {
    this.#progressAtMs = performance.now();
    this.#deadline.step(this.#progressAtMs, stepMs);
  }

  /** Until now a step might have been made and not been heard of. */
  deaf(): void {
    this.#deadline.interrupted();
    this.#listensSinceMs = performance.now();
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
  }

  #look(): void {
    const { isTraining, isEnding, hanging, hung } = this.#options;
    const now = performance.now();
    // A late look: this process was stopped, and what ranks told meanwhile waits in its sockets.
    if (now - this.#lookedAtMs > 2 * WATCH_MS + STACKS_MS) this.deaf();
    this.#lookedAtMs = now;
    if (!isTraining()) return;
    const isLast = isEnding() && this.#deadline.ms < ENDING_MS;
    const ms = isLast ? ENDING_MS : this.#deadline.ms;
    if (now - Math.max(this.#progressAtMs, this.#listensSinceMs) < ms) return;
    this.deaf();
    const heardAtMs = this.#progressAtMs;
    const rule = isLast ? "so long for a last checkpoint and a sample" : this.#deadline.rule;
    const after = `no step for ${(ms / 1000).toFixed(0)} s (${rule})`;
    hanging(`${after}; taking the stacks of all ranks`);
    setTimeout(() => {
      // A step that came after all is proof of life.
      if (!this.#closed && this.#progressAtMs === heardAtMs) hung(`the ranks hung: ${after}`);
    }, STACKS_MS);
  }
}
