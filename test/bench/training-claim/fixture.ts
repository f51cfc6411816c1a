import type { MetricsRecord } from "../../../coordinator/report/records.ts";
import type { Cell } from "./grid.ts";

/** Which figures a made-up run has; a step's are given by these. */
export type Course = {
  loss(step: number): number;
  dropRate(step: number, layer: number): number;
  coefficient(step: number, layer: number): number;
  /** Undefined in steps that do not measure it. */
  similarity(step: number): number | undefined;
};

/** The records of a run with two layers. */
export function records(steps: number, course: Course): MetricsRecord[] {
  return Array.from({ length: steps }, (_, index) => {
    const step = index + 1;
    const expertSimilarity = course.similarity(step);
    return {
      ...{ step, loss: course.loss(step), gradNorm: 1, lr: 0.001, tokens: 64, stepMs: 10 },
      tokensPerSecond: 6400,
      layers: [0, 1].map((layer) => ({
        ...{ layer, dropRate: course.dropRate(step, layer), auxLoss: 0.1, expertLoad: [32, 32] },
        auxCoeff: course.coefficient(step, layer),
        ...(expertSimilarity === undefined ? {} : { expertSimilarity }),
      })),
      memory: { peakBytes: 1, stages: [] },
      stages: [],
      ...(expertSimilarity === undefined ? {} : { validationLoss: course.loss(step) + 0.1 }),
      time: "2026-01-01T00:00:00.000Z",
    };
  });
}

/** Runs in which normalisation lowers the loss by 0.1 and halves the drops, whatever the seed. */
export function madeUpRun({ arm, seed }: Cell, steps: number): MetricsRecord[] {
  const { coefficient } = arm.balancing;
  const ends = (coefficient === undefined ? 0.02 : 0.06) * (arm.normalized ? 1 : 2);
  return records(steps, {
    loss: (step) => 2 + 3 * Math.exp(-step / 20) + 0.02 * seed - (arm.normalized ? 0.1 : 0),
    dropRate: (step, layer) => ends * (1 + Math.exp(-step / 20)) * (1 + layer) + 0.001 * seed,
    coefficient: (step, layer) => coefficient ?? (0.1 * (1 + layer)) / (1 + step / 20),
    similarity: (step) => (step % 5 === 0 ? 0.001 * step + 0.0005 * seed : undefined),
  });
}
