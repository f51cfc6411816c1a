/** No run hangs sooner than this. */
const LEAST_MS = 20_000;
const FACTOR = 10;
/** The first steps compile, load and warm up; a collective may take as long. */
const FIRST_STEPS_MS = 10 * 60 * 1000;
/** Steps that the deadline is made of. */
const WINDOW = 500;

/**
 * How long a run may go without a step: max(20 s, 10 × p99 of its steps so far),
 * validations and checkpoints between them included. Ten minutes before there are two to
 * compare.
 */
export class HangDeadline {
  readonly #gaps: number[] = [];
  #atMs: number | undefined;

  /**
   * A step was reported that took `stepMs`; `nowMs` is of a monotonic clock. Reports that
   * were kept while nobody heard them come faster than the steps were made.
   */
  step(nowMs: number, stepMs: number): void {
    if (this.#atMs !== undefined) {
      this.#gaps.push(Math.max(nowMs - this.#atMs, stepMs || 0));
      if (this.#gaps.length > WINDOW) this.#gaps.shift();
    }
    this.#atMs = nowMs;
  }

  /** What came between the last step and the next says nothing of the steps: a coordinator was away. */
  interrupted(): void {
    this.#atMs = undefined;
  }

  get ms(): number {
    if (this.#isFirst) return FIRST_STEPS_MS;
    const sorted = [...this.#gaps].sort((a, b) => a - b);
    const p99 = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.99))] ?? 0;
    return Math.max(LEAST_MS, FACTOR * p99);
  }

  /** In words, what the deadline is now. */
  get rule(): string {
    return this.#isFirst
      ? "so long for its first steps"
      : "the larger of 20 s and 10 × its slowest steps";
  }

  get #isFirst(): boolean {
    return this.#gaps.length < 2;
  }
}
