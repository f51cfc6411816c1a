/** What a recovery goes through, in order. */
const STAGES = ["detect", "fence", "plan", "start", "rendezvous", "load", "firstStep"] as const;

export type RecoveryStage = (typeof STAGES)[number];

/** Seconds by stage; together they are the time without training. */
export type RecoverySeconds = Record<RecoveryStage, number>;

/**
 * When each stage of a recovery ended: `detect` from the last step to the first evidence
 * of the failure, `fence` until the last of the old ranks had ended, `plan` until there
 * were slots, a plan and a checkpoint, `start` until all processes ran, `rendezvous` until
 * they had imported what they need and formed the process group, `load` until all stood with
 * their weights, `firstStep` until the first new step was reported.
 */
export class RecoveryTimes {
  readonly #fromMs: number;
  readonly #ends = new Map<RecoveryStage, number>();

  /** `fromMs`: when the last step was reported. */
  constructor(fromMs: number) {
    this.#fromMs = fromMs;
  }

  /** A stage has ended; the first time counts. */
  mark(stage: RecoveryStage, atMs = performance.now()): void {
    if (!this.#ends.has(stage)) this.#ends.set(stage, atMs);
  }

  get seconds(): RecoverySeconds {
    let from = this.#fromMs;
    const spans = STAGES.map((stage) => {
      const end = Math.max(from, this.#ends.get(stage) ?? from);
      const span = (end - from) / 1000;
      from = end;
      return [stage, Number(span.toFixed(3))];
    });
    return Object.fromEntries(spans) as RecoverySeconds;
  }

  /** From the first evidence to the first new step. */
  get totalSeconds(): number {
    const { detect: _, ...rest } = this.seconds;
    return Object.values(rest).reduce((sum, span) => sum + span, 0);
  }
}
