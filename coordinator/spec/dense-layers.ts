import type { Model } from "./schema.ts";

/** Zero-based layers with a dense FFN in place of experts, ascending. */
export function denseLayersOf({ denseLayers = 0 }: Pick<Model, "denseLayers">): number[] {
  return typeof denseLayers === "number"
    ? Array.from({ length: denseLayers }, (_, layer) => layer)
    : [...new Set(denseLayers)].sort((a, b) => a - b);
}
