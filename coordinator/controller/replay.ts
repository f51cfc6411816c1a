import {
  type ControllerOptions,
  coefficientsAt,
  createController,
  fold,
  type LayerMeasure,
} from "./controller.ts";

/** The part of a line of `metrics.jsonl` that the controller is about. */
export interface ReplayRecord {
  step: number;
  layers: readonly (LayerMeasure & { auxCoeff: number })[];
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
 * Recomputes every coefficient from what was measured alone and compares it with
 * the one the ranks say they applied.
 *
 * @param records all steps from 1 on, in order
 * @throws RangeError when a step is missing or repeated
 */
export function replay(options: ControllerOptions, records: readonly ReplayRecord[]): Replay {
  const numLayers = (records[0]?.layers.length ?? 0) + options.denseLayers.length;
  let state = createController(options, numLayers);
  const worst: Replay = { steps: records.length, largestDeviation: 0, step: 0, layer: 0 };
  for (const { step, layers } of records) {
    const expected = coefficientsAt(state, step);
    for (const { layer, auxCoeff } of layers) {
      const deviation = Math.abs(auxCoeff - (expected[layer] ?? Number.NaN));
      if (deviation <= worst.largestDeviation) continue;
      Object.assign(worst, { largestDeviation: deviation, step, layer });
    }
    state = fold(options, state, step, layers);
  }
  return worst;
}
