import { create } from "@bufbuild/protobuf";
import { type Coefficients, CoefficientsSchema } from "../../proto/gen/moestro/v1/rank_pb.js";
import type { EffectiveValues } from "./controller.ts";

/** What the controller set, as ranks are told. */
export function coefficientsMessage(effective: EffectiveValues): Coefficients {
  const { effectiveStep, values, biases = [] } = effective;
  return create(CoefficientsSchema, {
    effectiveStep: BigInt(effectiveStep),
    values,
    biases: biases.map((bias) => ({ values: bias })),
  });
}
