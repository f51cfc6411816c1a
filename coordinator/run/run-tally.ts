import type { RunLife } from "../store/store.ts";
import {
  decideRecovery,
  type Failure,
  MAX_WITHOUT_PROGRESS,
  type RecoveryDecision,
} from "./recovery.ts";

/** What one generation did under this coordinator. */
export type Trained = { numSteps: number; numTokens: number; trainMs: number };

/** What is counted over all generations of a run: restarts and why, steps, time. */
export class RunTally {
  /** When the run could make its first step, of the wall clock; 0 before. */
  firstStepAtMs: number;
  restarts: number;
  stepsLost: number;
  #countedRestarts: number;
  readonly #startedAtMs = performance.now();
  readonly #failures: Failure[] = [];
  /** The last step by generation of those that failed. */
  readonly #failedAt = new Map<number, number>();
  #here: Trained = { numSteps: 0, numTokens: 0, trainMs: 0 };

  constructor(life: RunLife | undefined) {
    this.restarts = life?.restarts ?? 0;
    this.#countedRestarts = life?.countedRestarts ?? 0;
    this.stepsLost = life?.stepsLost ?? 0;
    this.firstStepAtMs = life?.startedAtMs ?? 0;
  }

  /** As it is stored. */
  get life() {
    const { restarts, countedRestarts, stepsLost, firstStepAtMs: startedAtMs } = this;
    return { restarts, countedRestarts, stepsLost, startedAtMs };
  }

  /** Those that count against the limit. */
  get countedRestarts(): number {
    return this.#countedRestarts;
  }

  /** What was trained under this coordinator. */
  get here(): Trained {
    return this.#here;
  }

  /** Since this coordinator has the run. */
  get wallSeconds(): number {
    return (performance.now() - this.#startedAtMs) / 1000;
  }

  trained({ numSteps, numTokens, trainMs }: Trained): void {
    const { here } = this;
    this.#here = {
      numSteps: here.numSteps + numSteps,
      numTokens: here.numTokens + numTokens,
      trainMs: here.trainMs + trainMs,
    };
  }

  /** A generation has failed: whether ranks are started again, which is counted then. */
  failed(generation: number, failure: Failure, maxRestarts: number): RecoveryDecision {
    this.#failures.push(failure);
    this.#failedAt.set(generation, failure.lastStep);
    const state = { failures: this.#failures, countedRestarts: this.#countedRestarts };
    const options = { maxRestarts, maxWithoutProgress: MAX_WITHOUT_PROGRESS };
    const recovery = decideRecovery(state, options);
    if (recovery.decision === "restart" && recovery.counts) this.#countedRestarts += 1;
    return recovery;
  }

  /**
   * Ranks of a generation that was given up have made this step. Returns, once, the step it
   * was given up behind, if they could not have made this one had they been gone.
   */
  restartedFalselyBehind(generation: number, step: number): number | undefined {
    const lastStep = this.#failedAt.get(generation);
    // One may have been on its way.
    if (lastStep === undefined || step <= lastStep + 1) return undefined;
    this.#failedAt.delete(generation);
    return lastStep;
  }
}
