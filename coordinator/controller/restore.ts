import { z } from "zod";
import {
  type ControllerOptions,
  type ControllerState,
  coefficientsAt,
  createController,
} from "./controller.ts";

const stateSchema = z.strictObject({
  lastStep: z.int().min(0),
  scheduled: z
    .array(z.strictObject({ effectiveStep: z.int().min(1), values: z.array(z.number().min(0)) }))
    .min(1),
});

/**
 * The controller's state behind `lastStep`, from what a checkpoint holds. The
 * values in force are kept bit for bit; the schedule is laid anew for the law
 * the job now asks for, so that a changed setting takes hold and every step
 * that ranks may wait for has a value.
 *
 * @throws RangeError when the value is no state, is of another number of
 *   layers or another step, or its steps are out of order
 */
export function restoreController(
  options: ControllerOptions,
  value: unknown,
  numLayers: number,
  lastStep: number,
): ControllerState {
  const saved = readState(value, numLayers);
  if (saved.lastStep !== lastStep) {
    throw new RangeError(
      `the checkpoint is of step ${lastStep}, its controller of step ${saved.lastStep}`,
    );
  }
  if (options.balancing !== "adaptive") {
    const [constant] = createController(options, numLayers).scheduled;
    return { lastStep, scheduled: constant ? [{ ...constant, effectiveStep: lastStep + 1 }] : [] };
  }
  const scheduled = Array.from({ length: options.effectiveAfterSteps }, (_, index) => {
    const effectiveStep = lastStep + 1 + index;
    return { effectiveStep, values: coefficientsAt(saved, effectiveStep) };
  });
  return { lastStep, scheduled };
}

function readState(value: unknown, numLayers: number): ControllerState {
  const parsed = stateSchema.safeParse(value);
  if (!parsed.success) {
    throw new RangeError("the checkpoint's controller state is damaged");
  }
  const { lastStep, scheduled } = parsed.data;
  for (const [index, { effectiveStep, values }] of scheduled.entries()) {
    if (values.length !== numLayers) {
      throw new RangeError(
        `the checkpoint's controller has ${values.length} layers, the model ${numLayers}`,
      );
    }
    const previous = scheduled[index - 1]?.effectiveStep ?? 0;
    const isInOrder = effectiveStep > previous && (index > 0 || effectiveStep <= lastStep + 1);
    if (!isInOrder) throw new RangeError("the checkpoint's controller steps are out of order");
  }
  return parsed.data;
}
