import type { RunStatus } from "../../../proto/gen/moestro/v1/run_pb.js";
import { mean, resample } from "../view/glyphs.ts";

/** Losses remembered for the sparkline, and steps for the strips: more than terminals are wide. */
const MAX_LOSSES = 512;
const MAX_STEPS = 128;

/** One layer in one step. */
export type LayerStep = { dropRate: number; coefficient: number };

/** What was seen of a run's steps, since somebody began to watch. */
export type History = {
  lastStep: number;
  /** Oldest first; means of neighbouring steps once there are many. */
  losses: readonly number[];
  /** By layer, oldest first. */
  layers: ReadonlyMap<number, readonly LayerStep[]>;
};

export const NO_HISTORY: History = { lastStep: 0, losses: [], layers: new Map() };

/** With what a status says of a step that was not seen yet, a step trained again included. */
export function withSteps(history: History, status: RunStatus): History {
  const step = Number(status.step);
  if (step === 0 || step === history.lastStep) return history;
  const losses = [...history.losses, status.loss];
  const layers = status.layers.map(({ layer, dropRate, coefficient }) => {
    const before = history.layers.get(layer) ?? [];
    return [layer, [...before, { dropRate, coefficient }].slice(-MAX_STEPS)] as const;
  });
  return {
    lastStep: step,
    losses: losses.length > MAX_LOSSES ? resample(losses, MAX_LOSSES / 2, mean) : losses,
    layers: new Map(layers),
  };
}
