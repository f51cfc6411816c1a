import type { PartKind, RecomputeKind } from "../cost/workload.ts";
import type { ModelShape } from "../model/model-shape.ts";

/** One row of the partition problem: a decoder layer with what is glued to it, or the head. */
export interface ModelPart {
  name: string;
  /** Zero-based decoder layer; absent for a part without one. */
  layer?: number | undefined;
  /** Index in `ModelParts.classes`; parts of a class cost the same. */
  class: number;
}

/** Parts that are made of the same things. */
export interface PartClass {
  /** What each is made of, in order. */
  kinds: readonly PartKind[];
  /** How many parts of the model are of this class. */
  count: number;
}

export interface ModelParts {
  /** First to last. */
  parts: readonly ModelPart[];
  classes: readonly PartClass[];
}

/** Whether a decoder layer is among what a part is made of. */
export function hasLayer(kinds: readonly PartKind[]): boolean {
  return kinds.includes("dense") || kinds.includes("moe");
}

/** What a part may recompute of what is allowed; the head alone has nothing to gain. */
export function mayRecompute(
  kinds: readonly PartKind[],
  allowed: readonly RecomputeKind[],
): readonly RecomputeKind[] {
  return hasLayer(kinds) ? allowed : ["none"];
}

/**
 * The parts that are cut into stages. The embedding goes with the first layer,
 * for a stage of a lookup alone would be idle. MTP layers go with the head, whose
 * logits they share. With `headNeedsLayer` the head goes with the last layer, for
 * engines whose stages hold a layer each.
 */
export function modelParts(model: ModelShape, headNeedsLayer: boolean): ModelParts {
  const end: PartKind[] = [...Array<PartKind>(model.mtpLayers).fill("mtp"), "head"];
  const last = model.layers.length - 1;
  const rows: { name: string; layer?: number; kinds: PartKind[] }[] = model.layers.map(
    (layer, index) => ({
      name: `layer ${index}`,
      layer: index,
      kinds: [
        ...(index === 0 ? (["embedding"] as const) : []),
        layer.kind,
        ...(headNeedsLayer && index === last ? end : []),
      ],
    }),
  );
  if (!headNeedsLayer) rows.push({ name: "head", kinds: end });
  const indices = new Map<string, number>();
  const classes: { kinds: PartKind[]; count: number }[] = [];
  const parts = rows.map(({ kinds, ...row }) => {
    const key = kinds.join("+");
    const known = indices.get(key) ?? classes.push({ kinds, count: 0 }) - 1;
    indices.set(key, known);
    (classes[known] as PartClass).count++;
    return { ...row, class: known };
  });
  return { parts, classes };
}
