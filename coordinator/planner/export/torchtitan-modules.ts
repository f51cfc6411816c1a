import type { PlannedStage } from "../plan-document.ts";

/**
 * Stages in the order a token passes them: as their layers come. DualPipeV's V
 * is undone, since torchtitan lays stages out in a V by itself.
 */
function inModelOrder(stages: readonly PlannedStage[]): PlannedStage[] {
  return [...stages].sort((a, b) => place(a) - place(b) || a.stage - b.stage);
}

function place(stage: PlannedStage): number {
  if (stage.layers !== null) return stage.layers[0];
  return stage.hasEmbedding ? -1 : Number.POSITIVE_INFINITY;
}

/**
 * Module names of every stage, for torchtitan's `module_fqns_per_model_part`:
 * `tok_embeddings`, `layers.N`, `norm` and the head, `output` or `lm_head`.
 */
export function moduleNames(
  stages: readonly PlannedStage[],
  head: "output" | "lm_head",
): string[][] {
  return inModelOrder(stages).map(({ layers, hasEmbedding, hasHead }) => [
    ...(hasEmbedding ? ["tok_embeddings"] : []),
    ...(layers === null
      ? []
      : Array.from({ length: layers[1] - layers[0] + 1 }, (_, i) => `layers.${layers[0] + i}`)),
    ...(hasHead ? ["norm", head] : []),
  ]);
}
