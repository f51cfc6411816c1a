import { adaptCoefficient, type LawOptions } from "./law.ts";

/** Everything the control law needs, as `job.controller` and `job.moe` say it. */
export interface ControllerOptions extends LawOptions {
  balancing: "adaptive" | "fixed" | "none";
  /** alpha_0; with `fixed`, the coefficient of every step. */
  initialCoefficient: number;
  /** A value computed from step s takes effect at s + this; at least 2. */
  effectiveAfterSteps: number;
}

/** Coefficients by layer and the step they take effect at. */
export type EffectiveCoefficients = { effectiveStep: number; values: number[] };

/**
 * Plain JSON data; numbers survive `JSON.stringify` bit for bit. `scheduled`
 * begins with the values in force at the next step and holds all that are
 * computed but not yet in force, so a run resumed after `lastStep` applies
 * exactly what the uninterrupted one would have.
 */
export type ControllerState = { lastStep: number; scheduled: EffectiveCoefficients[] };

/**
 * The state before the first step: alpha_0 everywhere, 0 without balancing. An
 * adaptive controller schedules a value for every step, from the first on, so
 * that ranks which wait for each step's value (strict mode) know what to await.
 */
export function createController(options: ControllerOptions, numLayers: number): ControllerState {
  const initial = options.balancing === "none" ? 0 : options.initialCoefficient;
  const values = Array.from({ length: numLayers }, () => initial);
  const numScheduled = options.balancing === "adaptive" ? options.effectiveAfterSteps : 1;
  const scheduled = Array.from({ length: numScheduled }, (_, index) => ({
    effectiveStep: index + 1,
    values,
  }));
  return { lastStep: 0, scheduled };
}

/**
 * Takes in the drop rates of one step, by layer, over all ranks. Steps come in
 * order, each once: the coefficients are a function of the whole sequence.
 *
 * @throws RangeError for a step out of order, a wrong number of layers, or a
 *   drop rate outside 0..1
 */
export function fold(
  options: ControllerOptions,
  state: ControllerState,
  step: number,
  dropRates: readonly number[],
): ControllerState {
  if (step !== state.lastStep + 1) {
    throw new RangeError(`step ${step} cannot follow step ${state.lastStep} in the controller`);
  }
  const { values } = effective(state);
  if (dropRates.length !== values.length) {
    throw new RangeError(`${dropRates.length} drop rates for ${values.length} layers`);
  }
  const outside = dropRates.find((rate) => !(rate >= 0 && rate <= 1));
  if (outside !== undefined) throw new RangeError(`drop rate ${outside} is outside 0..1`);
  if (options.balancing !== "adaptive") return { ...state, lastStep: step };
  const next = {
    effectiveStep: step + options.effectiveAfterSteps,
    values: values.map((value, layer) =>
      adaptCoefficient(value, dropRates[layer] as number, options),
    ),
  };
  return { lastStep: step, scheduled: dropPast([...state.scheduled, next], step + 1) };
}

/** The newest coefficients, and the step they take effect at. */
export function effective(state: ControllerState): EffectiveCoefficients {
  return state.scheduled.at(-1) as EffectiveCoefficients;
}

/** The coefficients in force at a step after `lastStep`. */
export function coefficientsAt(state: ControllerState, step: number): number[] {
  const inForce = state.scheduled.findLast(({ effectiveStep }) => effectiveStep <= step);
  if (inForce === undefined || step <= state.lastStep) {
    throw new RangeError(`step ${step} is not after step ${state.lastStep} of the controller`);
  }
  return inForce.values;
}

/** Forgets what another value has replaced by `nextStep`. */
function dropPast(
  scheduled: readonly EffectiveCoefficients[],
  nextStep: number,
): EffectiveCoefficients[] {
  const inForce = scheduled.findLastIndex(({ effectiveStep }) => effectiveStep <= nextStep);
  return scheduled.slice(inForce);
}
