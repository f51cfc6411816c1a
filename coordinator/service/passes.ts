import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";

/** After a longer pass the next one waits so many times as long as it took. */
const SHORT_PASS_MS = 2;
const REST_AFTER_PASS = 4;

/** Makes a pass soon after it is asked for; one answers all that was asked before it. */
export class Passes {
  readonly #pass: () => void;
  #isAsked = false;
  #isAtIt = false;
  #isClosed = false;

  constructor(pass: () => void) {
    this.#pass = pass;
  }

  soon(): void {
    this.#isAsked = true;
    if (!this.#isAtIt) void this.#makeAll();
  }

  close(): void {
    this.#isClosed = true;
  }

  async #makeAll(): Promise<void> {
    this.#isAtIt = true;
    while (this.#isAsked && !this.#isClosed) {
      this.#isAsked = false;
      await turn();
      const began = performance.now();
      this.#pass();
      const tookMs = performance.now() - began;
      // However much changes, with a long queue too, agents and commands get their turn.
      if (tookMs > SHORT_PASS_MS) await sleep(REST_AFTER_PASS * tookMs, undefined, { ref: false });
    }
    this.#isAtIt = false;
  }
}
