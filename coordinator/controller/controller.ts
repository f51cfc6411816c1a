import { adaptCoefficient, type LawOptions, stepBiases } from "./law.ts";

/** Everything the control law needs, as `job.controller`, `job.moe` and `job.model` say it. */
export interface ControllerOptions extends LawOptions {
  balancing: "adaptive" | "fixed" | "bias" | "none";
  /** alpha_0; with `fixed` and `bias`, the coefficient of every step. */
  initialCoefficient: number;
  /** The gamma by which `bias` moves a bias in one step. */
  biasUpdateSpeed: number;
  /** A value computed from step s takes effect at s + this; at least 2. */
  effectiveAfterSteps: number;
  /** Experts of a layer. */
  numExperts: number;
  /** Layers without experts: nothing is measured of them, their values stay 0. */
  denseLayers: readonly number[];
}

/** What applies from a step on, by layer of the whole model. */
export type EffectiveValues = {
  effectiveStep: number;
  /** Auxiliary-loss coefficients. */
  values: number[];
  /** With balancing `bias`: what the choice of the top-k adds to each expert's probability. */
  biases?: number[][];
};

/** What ranks measured of one layer in one step; a line of metrics.jsonl has it. */
export interface LayerMeasure {
  layer: number;
  /** Dropped over routed assignments, 0..1. */
  dropRate: number;
  /** Assignments the gate made, by expert. */
  expertLoad: readonly number[];
}

/**
 * Plain JSON data; numbers survive `JSON.stringify` bit for bit. `scheduled`
 * begins with the values in force at the next step and holds all that are
 * computed but not yet in force, so a run resumed after `lastStep` applies
 * exactly what the uninterrupted one would have.
 */
export type ControllerState = { lastStep: number; scheduled: EffectiveValues[] };

/** Whether the law's values change from step to step, so that ranks have something to await. */
export function changesByStep(balancing: ControllerOptions["balancing"]): boolean {
  return balancing === "adaptive" || balancing === "bias";
}

/**
 * The state before the first step: alpha_0 everywhere, 0 without balancing, and
 * no bias. A law that changes by step schedules a value for every one, from the
 * first on, so that ranks which wait for each step's value (strict mode) know
 * what to await.
 */
export function createController(options: ControllerOptions, numLayers: number): ControllerState {
  const { balancing, denseLayers, effectiveAfterSteps } = options;
  const initial = balancing === "none" ? 0 : options.initialCoefficient;
  const layers = Array.from({ length: numLayers }, (_, layer) => layer);
  const values = layers.map((layer) => (denseLayers.includes(layer) ? 0 : initial));
  const biases = balancing === "bias" ? { biases: noBiases(options, numLayers) } : {};
  const numScheduled = changesByStep(balancing) ? effectiveAfterSteps : 1;
  const scheduled = Array.from({ length: numScheduled }, (_, index) => ({
    effectiveStep: index + 1,
    values,
    ...biases,
  }));
  return { lastStep: 0, scheduled };
}

/** A bias of 0 for every expert of every layer. */
export function noBiases({ numExperts }: ControllerOptions, numLayers: number): number[][] {
  return Array.from({ length: numLayers }, () => new Array<number>(numExperts).fill(0));
}

/**
 * Takes in what one step measured of every layer with experts, over all ranks.
 * Steps come in order, each once: the values are a function of the whole sequence.
 *
 * @throws RangeError for a step out of order, a layer too many or too few, a
 *   wrong number of experts, or a drop rate outside 0..1
 */
export function fold(
  options: ControllerOptions,
  state: ControllerState,
  step: number,
  measures: readonly LayerMeasure[],
): ControllerState {
  if (step !== state.lastStep + 1) {
    throw new RangeError(`step ${step} cannot follow step ${state.lastStep} in the controller`);
  }
  const newest = effective(state);
  const measured = byLayer(options, newest.values.length, measures);
  if (!changesByStep(options.balancing)) return { ...state, lastStep: step };
  const next = {
    effectiveStep: step + options.effectiveAfterSteps,
    ...nextValues(options, newest, measured),
  };
  return { lastStep: step, scheduled: dropPast([...state.scheduled, next], step + 1) };
}

/** The newest values, and the step they take effect at. */
export function effective(state: ControllerState): EffectiveValues {
  return state.scheduled.at(-1) as EffectiveValues;
}

/** The coefficients in force at a step after `lastStep`. */
export function coefficientsAt(state: ControllerState, step: number): number[] {
  return valuesAt(state, step).values;
}

/** All that is in force at a step after `lastStep`. */
export function valuesAt(state: ControllerState, step: number): EffectiveValues {
  const inForce = state.scheduled.findLast(({ effectiveStep }) => effectiveStep <= step);
  if (inForce === undefined || step <= state.lastStep) {
    throw new RangeError(`step ${step} is not after step ${state.lastStep} of the controller`);
  }
  return inForce;
}

function nextValues(
  options: ControllerOptions,
  { values, biases }: EffectiveValues,
  measured: ReadonlyMap<number, LayerMeasure>,
): Omit<EffectiveValues, "effectiveStep"> {
  if (options.balancing !== "bias") {
    const adapt = (value: number, layer: number) => {
      const measure = measured.get(layer);
      return measure === undefined ? value : adaptCoefficient(value, measure.dropRate, options);
    };
    return { values: values.map(adapt) };
  }
  const move = (bias: number[], layer: number) => {
    const measure = measured.get(layer);
    return measure === undefined
      ? bias
      : stepBiases(bias, measure.expertLoad, options.biasUpdateSpeed);
  };
  return { values, biases: (biases ?? noBiases(options, values.length)).map(move) };
}

/** Measures of exactly the layers with experts. */
function byLayer(
  { denseLayers, numExperts }: ControllerOptions,
  numLayers: number,
  measures: readonly LayerMeasure[],
): Map<number, LayerMeasure> {
  const measured = new Map(measures.map((measure) => [measure.layer, measure]));
  const expected = Array.from({ length: numLayers }, (_, layer) => layer).filter(
    (layer) => !denseLayers.includes(layer),
  );
  if (measures.length !== expected.length || !expected.every((layer) => measured.has(layer))) {
    const layers = measures.map(({ layer }) => layer).join(", ");
    throw new RangeError(
      `layers ${layers} were measured, ${expected.join(", ")} of ${numLayers} layers have experts`,
    );
  }
  for (const { layer, dropRate, expertLoad } of measures) {
    if (!(dropRate >= 0 && dropRate <= 1)) {
      throw new RangeError(`drop rate ${dropRate} is outside 0..1`);
    }
    if (expertLoad.length !== numExperts) {
      throw new RangeError(
        `layer ${layer} measured ${expertLoad.length} experts, the model has ${numExperts}`,
      );
    }
  }
  return measured;
}

/** Forgets what another value has replaced by `nextStep`. */
function dropPast(scheduled: readonly EffectiveValues[], nextStep: number): EffectiveValues[] {
  const inForce = scheduled.findLastIndex(({ effectiveStep }) => effectiveStep <= nextStep);
  return scheduled.slice(inForce);
}
