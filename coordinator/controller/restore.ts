import { z } from "zod";
import {
  type ControllerOptions,
  type ControllerState,
  changesByStep,
  createController,
  type EffectiveValues,
  noBiases,
  valuesAt,
} from "./controller.ts";

const stateSchema = z.strictObject({
  lastStep: z.int().min(0),
  scheduled: z
    .array(
      z.strictObject({
        effectiveStep: z.int().min(1),
        values: z.array(z.number().min(0)),
        // Only of runs that balance by biases.
        biases: z.array(z.array(z.number())).optional(),
      }),
    )
    .min(1),
});

/**
 * The controller's state behind `lastStep`, from what a checkpoint holds. The
 * values in force are kept bit for bit; the schedule is laid anew for the law
 * the job now asks for, so that a changed setting takes hold and every step
 * that ranks may wait for has a value.
 *
 * @throws RangeError when the value is no state, is of another number of
 *   layers or experts or another step, or its steps are out of order
 */
export function restoreController(
  options: ControllerOptions,
  value: unknown,
  numLayers: number,
  lastStep: number,
): ControllerState {
  const saved = readState(value, numLayers, options.numExperts);
  if (saved.lastStep !== lastStep) {
    throw new RangeError(
      `the checkpoint is of step ${lastStep}, its controller of step ${saved.lastStep}`,
    );
  }
  const first = createController(options, numLayers).scheduled[0] as EffectiveValues;
  if (!changesByStep(options.balancing)) {
    return { lastStep, scheduled: [{ ...first, effectiveStep: lastStep + 1 }] };
  }
  const scheduled = Array.from({ length: options.effectiveAfterSteps }, (_, index) => {
    const effectiveStep = lastStep + 1 + index;
    const { values, biases = noBiases(options, numLayers) } = valuesAt(saved, effectiveStep);
    // Biases balance beside coefficients that do not change.
    return options.balancing === "bias"
      ? { effectiveStep, values: first.values, biases }
      : { effectiveStep, values };
  });
  return { lastStep, scheduled };
}

function readState(value: unknown, numLayers: number, numExperts: number): ControllerState {
  const parsed = stateSchema.safeParse(value);
  if (!parsed.success) {
    throw new RangeError("the checkpoint's controller state is damaged");
  }
  const { lastStep, scheduled } = parsed.data;
  for (const [index, { effectiveStep, values, biases }] of scheduled.entries()) {
    if (values.length !== numLayers || (biases ?? values).length !== numLayers) {
      throw new RangeError(
        `the checkpoint's controller has ${(biases ?? values).length} layers, the model ${numLayers}`,
      );
    }
    const odd = biases?.find((bias) => bias.length !== numExperts);
    if (odd !== undefined) {
      throw new RangeError(
        `the checkpoint's controller has ${odd.length} experts, the model ${numExperts}`,
      );
    }
    const previous = scheduled[index - 1]?.effectiveStep ?? 0;
    const isInOrder = effectiveStep > previous && (index > 0 || effectiveStep <= lastStep + 1);
    if (!isInOrder) throw new RangeError("the checkpoint's controller steps are out of order");
  }
  return {
    lastStep,
    scheduled: scheduled.map(({ biases, ...rest }) => (biases ? { ...rest, biases } : rest)),
  };
}
