import type { RecomputeKind } from "../cost/workload.ts";
import type { ScheduleName } from "../plan-document.ts";
import { pytorchCannotRun } from "../schedule/pytorch-cannot-run.ts";
import type { Constraints } from "./constraints.ts";

/**
 * Constraints with recompute as a target can be told: any choice by layer, or each
 * form in turn. Megatron-Core has one kind for all layers, or `--recompute-method
 * block`, which recomputes the first N layers of every chunk in full; torchtitan has
 * one kind for all. What PyTorch cannot run under a schedule is left out.
 *
 * @param mostLayers of a chunk
 */
export function recomputeForms(
  constraints: Constraints,
  schedule: ScheduleName,
  mostLayers: number,
): Constraints[] {
  const { target } = constraints;
  switch (target) {
    case "any":
      return [constraints];
    case "moestro": {
      const recompute = runnable(constraints, schedule);
      return recompute.length > 0 ? [{ ...constraints, recompute }] : [];
    }
    case "torchtitan":
      return alike(constraints, runnable(constraints, schedule));
    case "megatron":
      return [
        ...alike(constraints, constraints.recompute),
        ...(fixedKinds(constraints).length > 0 ? [] : blocks(constraints, mostLayers)),
      ];
  }
}

/** One kind for all layers, as far as none is fixed to another. */
function alike(constraints: Constraints, kinds: Constraints["recompute"]): Constraints[] {
  const fixed = fixedKinds(constraints);
  return kinds
    .filter((kind) => fixed.every((other) => other === kind))
    .map((kind) => ({ ...constraints, recompute: [kind], recomputePerLayer: undefined }));
}

/** The kinds that a person gave to single layers. */
export function fixedKinds({
  recomputePerLayer = [],
}: Pick<Constraints, "recomputePerLayer">): RecomputeKind[] {
  return [...new Set(recomputePerLayer.filter((kind) => kind !== undefined))];
}

function runnable({ recompute }: Constraints, schedule: ScheduleName): Constraints["recompute"] {
  return recompute.filter((kind) => pytorchCannotRun(schedule, [kind], false) === undefined);
}

function blocks(constraints: Constraints, mostLayers: number): Constraints[] {
  const { recompute } = constraints;
  if (!recompute.includes("full") || !recompute.includes("none")) return [];
  return Array.from({ length: Math.max(0, mostLayers - 1) }, (_, index) => ({
    ...constraints,
    recompute: ["none", "full"],
    recomputeFirst: index + 1,
  }));
}
