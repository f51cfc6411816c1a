import type { Placement } from "../cost/workload.ts";
import { schemeOf } from "../layout/sizes.ts";
import type { ScheduleName } from "../plan-document.ts";
import type { Target } from "./constraints.ts";

type Arranged = Placement & { schedule: ScheduleName };

/**
 * Why a layout cannot be said in a target's configuration, or nothing. What our
 * own engine runs is kept in layout/engine-capabilities.ts for layouts.
 */
export function whyNotExpressible(target: Target, layout: Arranged): string | undefined {
  switch (target) {
    case "any":
      return undefined;
    case "moestro":
      return whyNotMoestro(layout);
    case "megatron":
      return layout.schedule === "1f1b" || layout.schedule === "interleaved"
        ? undefined
        : `Megatron-Core has no schedule ${layout.schedule}`;
    case "torchtitan":
      return layout.expertTensorParallel === 1
        ? undefined
        : "torchtitan splits no expert (expertTensorParallel must be 1)";
  }
}

function whyNotMoestro(layout: Arranged): string | undefined {
  if (schemeOf(layout) !== "edp") return "the engine runs scheme edp only";
  if (layout.contextParallel !== 1) return "the engine has no context parallelism";
  if (layout.schedule !== "1f1b") return "the engine runs 1F1B only";
  return undefined;
}
