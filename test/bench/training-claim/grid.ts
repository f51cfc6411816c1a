import type { JobText } from "../jobs.ts";

/** How the auxiliary loss's coefficient comes about. */
export type Balancing = { id: string; name: string; coefficient: number | undefined };

/** One setting of what is compared; it is run once a seed. */
export type Arm = { id: string; normalized: boolean; balancing: Balancing };

/** One training run. */
export type Cell = { id: string; arm: Arm; seed: number };

const ADAPTIVE: Balancing = { id: "adaptive", name: "adaptive α", coefficient: undefined };

/** Gate normalisation on and off, each with the adaptive coefficient and with every fixed one. */
export function armsOf(coefficients: readonly number[]): Arm[] {
  const balancings = [ADAPTIVE, ...coefficients.map(fixed)];
  return [true, false].flatMap((normalized) =>
    balancings.map((balancing) => ({
      id: `${normalized ? "normalized" : "plain"}-${balancing.id}`,
      normalized,
      balancing,
    })),
  );
}

function fixed(coefficient: number): Balancing {
  // A run's name has no dots.
  const id = `fixed-${String(coefficient).replace(".", "-")}`;
  return { id, name: `fixed α = ${coefficient}`, coefficient };
}

/** Seed by seed, so that an interrupted series has whole seeds of every arm. */
export function cellsOf(arms: readonly Arm[], seeds: readonly number[]): Cell[] {
  return seeds.flatMap((seed) => arms.map((arm) => ({ id: `${arm.id}-seed-${seed}`, arm, seed })));
}

/** Validations, and with them measurements of expert similarity, of one run. */
const NUM_VALIDATIONS = 12;

/** How long each run is: optimizer steps, and sequences in one of them. */
export type RunLength = { steps: number; batch: number };

/**
 * The job of a cell: the given one on one rank, of another length. Arms of one
 * seed start from the same weights and see the same data in the same order.
 */
export function jobOfCell(
  job: JobText,
  { id, arm, seed }: Cell,
  { steps, batch }: RunLength,
): JobText {
  const { coefficient } = arm.balancing;
  const adapts = coefficient === undefined;
  const controller = job.controller as Record<string, unknown> | undefined;
  return {
    ...job,
    name: id,
    training: {
      ...job.training,
      ...{ steps, seed, globalBatchSize: batch, sampleBytes: 0, timelineEverySteps: 0 },
      validationEverySteps: Math.max(1, Math.round(steps / NUM_VALIDATIONS)),
    },
    moe: {
      ...job.moe,
      gateNormalization: arm.normalized ? 1 : false,
      balancing: adapts ? "adaptive" : "fixed",
    },
    controller: adapts ? controller : { ...controller, initialCoefficient: coefficient },
    layout: { scheme: "edp", pipelineParallel: 1, tensorParallel: 1 },
    cluster: { ranks: 1, device: "cpu" },
    checkpoint: { everySteps: 0 },
  };
}
