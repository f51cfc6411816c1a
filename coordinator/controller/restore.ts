import { z } from "zod";
import type { ControllerState } from "./controller.ts";

const stateSchema = z.strictObject({
  lastStep: z.int().min(0),
  scheduled: z
    .array(z.strictObject({ effectiveStep: z.int().min(1), values: z.array(z.number().min(0)) }))
    .min(1),
});

/**
 * A controller state read back from a checkpoint, bit-equal to the one written.
 *
 * @throws RangeError when it is none, is of another number of layers, or its
 *   steps are out of order
 */
export function restoreController(value: unknown, numLayers: number): ControllerState {
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
