import { type ControllerOptions, coefficientsAt, createController, fold } from "./controller.ts";

/** The part of a line of `metrics.jsonl` that the controller is about. */
export interface ReplayRecord {
  step: number;
  layers: readonly { layer: number; dropRate: number; auxCoeff: number }[];
}

/** How far a run's coefficients are from the formula. */
export interface Replay {
  steps: number;
  /** Largest |recorded − recomputed|, and where. */
  largestDeviation: number;
  step: number;
  layer: number;
}

/**
 * Recomputes every coefficient from the recorded drop rates alone and compares
 * it with the one the ranks say they applied.
 *
 * @param records all steps from 1 on, in order
 * @throws RangeError when a step is missing or repeated
 */
export function replay(options: ControllerOptions, records: readonly ReplayRecord[]): Replay {
  let state = createController(options, records[0]?.layers.length ?? 0);
  const worst: Replay = { steps: records.length, largestDeviation: 0, step: 0, layer: 0 };
  for (const { step, layers } of records) {
    const ordered = [...layers].sort((a, b) => a.layer - b.layer);
    const expected = coefficientsAt(state, step);
    for (const [index, { layer, auxCoeff }] of ordered.entries()) {
      const deviation = Math.abs(auxCoeff - (expected[index] as number));
      if (deviation <= worst.largestDeviation) continue;
      Object.assign(worst, { largestDeviation: deviation, step, layer });
    }
    state = fold(
      options,
      state,
      step,
      ordered.map(({ dropRate }) => dropRate),
    );
  }
  return worst;
}
