import type { StageReport, StepReport } from "../../proto/gen/moestro/v1/report_pb.js";

/** A rank is slow that computes this much longer than the quickest of its stage. */
const SLOW_FACTOR = 1.5;
/** Steps in a row that make it so, or end it. */
const NUM_STEPS = 10;
/** Of a stage with one rank: steps that its own usual time is taken from. */
const NUM_USUAL = 50;

export type StragglerNews = {
  /** One sentence. */
  message: string;
  stage: number;
  rank: number;
  /** Its computation over that of the quickest, or over what was usual. */
  factor: number;
  isSlow: boolean;
};

type Watched = {
  usualMs: number[];
  /** The rank that was slowest in the last steps, how often in a row, and by how much. */
  rank: number;
  factors: number[];
  calmSteps: number;
  told: boolean;
};

/**
 * Who holds the others up. Ranks work in lockstep, so a step's time says nothing of who
 * is slow; what a rank computes by itself does. Only told, never acted on.
 */
export class StragglerWatch {
  readonly #stages = new Map<number, Watched>();

  add({ stages }: StepReport): StragglerNews[] {
    return stages.flatMap((stage) => this.#look(stage) ?? []);
  }

  #look(report: StageReport): StragglerNews | undefined {
    const { stage, slowestRank: rank } = report;
    const watched = this.#stages.get(stage) ?? {
      ...{ usualMs: [], rank, factors: [], calmSteps: 0, told: false },
    };
    this.#stages.set(stage, watched);
    const factor = factorOf(report, watched);
    if (factor < SLOW_FACTOR || (watched.told && rank !== watched.rank))
      return calm(watched, stage);
    watched.calmSteps = 0;
    if (rank !== watched.rank) watched.factors = [];
    watched.rank = rank;
    watched.factors.push(factor);
    if (watched.told || watched.factors.length < NUM_STEPS) return undefined;
    watched.told = true;
    const typical = median(watched.factors);
    const than = report.numRanks > 1 ? "the quickest rank of its stage" : "it usually does";
    const message = `rank ${rank} is slow: stage ${stage} computes ${typical.toFixed(1)} times as long as ${than}, for ${NUM_STEPS} steps`;
    return { message, stage, rank, factor: typical, isSlow: true };
  }
}

/** A step in which nobody is slow. */
function calm(watched: Watched, stage: number): StragglerNews | undefined {
  watched.calmSteps += 1;
  if (watched.calmSteps < NUM_STEPS) return undefined;
  const { told, rank } = watched;
  Object.assign(watched, { factors: [], told: false });
  if (!told) return undefined;
  const message = `rank ${rank} of stage ${stage} is as quick as the others again`;
  return { message, stage, rank, factor: 1, isSlow: false };
}

function factorOf({ numRanks, computeMs, leastComputeMs }: StageReport, { usualMs }: Watched) {
  if (numRanks > 1) return leastComputeMs > 0 ? computeMs / leastComputeMs : 1;
  if (usualMs.length < NUM_USUAL) {
    usualMs.push(computeMs);
    return 1;
  }
  return computeMs / median(usualMs);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
