import type { StepReport } from "./gen/moestro/v1/report_pb.js";
import { joinStepReports, mergeStepReports } from "./merge-reports.ts";

/** Reports that wait for others, over all sources: some 20 kB each. */
const MAX_WAITING = 20_000;
const LEAST_WAITING_EACH = 8;

/**
 * Merges what several agents report of the same steps, in agent order. Agents that
 * kept reports while no coordinator took them may have joined several steps into one,
 * each in its own way: a report is handed over once all sources have one that ends
 * with the same step. Reports that come again change nothing. While one source is silent for
 * long, what the others report beyond a bound is let go, and is to be sent again:
 * `toSendAgain` names those of whom it is needed, `sendsAgain` tells that they do.
 */
export class StepGather<Source> {
  readonly #waiting: ReadonlyMap<Source, StepReport[]>;
  /** The last step handed over. */
  #done: bigint;
  #newest: bigint;
  /** Sources of which nothing waits: until there are none, nothing is complete. */
  #numEmpty: number;
  readonly #mostEach: number;
  /** Sources of which reports were let go: nothing more is taken of them until they send again. */
  readonly #letGo = new Set<Source>();

  /** `lastStep`: the step behind which reports count. */
  constructor(sources: readonly Source[], lastStep: bigint, maxWaiting = MAX_WAITING) {
    this.#waiting = new Map(sources.map((source) => [source, []]));
    this.#done = lastStep;
    this.#newest = lastStep;
    this.#numEmpty = this.#waiting.size;
    this.#mostEach = Math.max(LEAST_WAITING_EACH, Math.floor(maxWaiting / sources.length));
  }

  /** Returns what is complete now, in order. */
  add(source: Source, report: StepReport): StepReport[] {
    const own = this.#waiting.get(source);
    if (!own) throw new Error(`source ${source} has no part in these steps`);
    const newest = own.at(-1)?.step ?? this.#done;
    if (report.step <= newest) return [];
    if (report.step > this.#newest) this.#newest = report.step;
    if (own.length >= this.#mostEach) this.#letGo.add(source);
    if (this.#letGo.has(source)) return [];
    own.push(report);
    if (own.length === 1) this.#numEmpty -= 1;
    const complete: StepReport[] = [];
    for (let next = this.#next(); next; next = this.#next()) complete.push(next);
    return complete;
  }

  /** Sources whose reports were let go, and are what is waited for now. */
  toSendAgain(): Source[] {
    return [...this.#letGo].filter((source) => this.#waiting.get(source)?.length === 0);
  }

  /** The source begins anew with what is not acknowledged. */
  sendsAgain(source: Source): void {
    this.#letGo.delete(source);
  }

  /** The newest step that any source has told of. */
  get newest(): bigint {
    return this.#newest;
  }

  #next(): StepReport | undefined {
    if (this.#numEmpty > 0) return undefined;
    const [first, ...others] = [...this.#waiting.values()];
    const end = first
      ?.map(({ step }) => step)
      .find((step) => others.every((own) => own.some((report) => report.step === step)));
    if (end === undefined) return undefined;
    this.#done = end;
    const parts = [...this.#waiting.values()].map((own) => {
      const count = own.findIndex(({ step }) => step === end) + 1;
      if (count === own.length) this.#numEmpty += 1;
      return joinStepReports(own.splice(0, count));
    });
    return mergeStepReports(parts);
  }
}
