import { denseLayersOf } from "../spec/dense-layers.ts";
import type { Job } from "../spec/schema.ts";
import type { ControllerOptions } from "./controller.ts";

/** alpha_0 unless the job says: biases balance by themselves. */
const INITIAL_COEFFICIENT = 0.01;

/** The control law a job asks for. */
export function controllerOptions({ controller, moe, model }: Job): ControllerOptions {
  const { strict: _, initialCoefficient, ...law } = controller;
  const { balancing } = moe;
  return {
    ...law,
    balancing,
    initialCoefficient: initialCoefficient ?? (balancing === "bias" ? 0 : INITIAL_COEFFICIENT),
    numExperts: moe.experts,
    denseLayers: denseLayersOf(model),
  };
}
