import { partParameters } from "../../model/count-parameters.ts";
import type { ModelShape } from "../../model/model-shape.ts";
import type { PartKind, PartParameters, Placement, Workload } from "../workload.ts";
import { sizesOf } from "./activations.ts";
import { ACTIVATION_BYTES, type MemoryFactors } from "./factors.ts";

/** Buffers for the sequence gathered over TP, which stay allocated once they are. */
export function gatherBufferBytes(
  workload: Workload,
  placement: Placement,
  factors: MemoryFactors,
): number {
  if (!factors.sequenceParallel || placement.tensorParallel === 1) return 0;
  const { bytes, tokens } = sizesOf(workload, placement, factors);
  return factors.gatherBuffers * bytes * workload.model.hiddenSize * tokens;
}

/** Under FSDP: the gathered weights of this part and the next, and its gradients on their way. */
export function gatheredWeightBytes(
  { optimizerSharding, precision }: Workload,
  factors: MemoryFactors,
  { dense, expert }: PartParameters,
): number {
  if (optimizerSharding !== "fsdp") return 0;
  return (2 * factors.weightBytes[precision] + ACTIVATION_BYTES[precision]) * (dense + expert);
}

/** Of one layer's matrices and one expert's, and of the head while it runs; see MemoryFactors. */
export function unusedGradientBytes(
  { model, precision }: Workload,
  placement: Placement,
  kind: PartKind,
  factors: MemoryFactors,
): number {
  if (!factors.unusedGradients || kind === "embedding") return 0;
  const layer = partParameters(model, layerKindOf(model, kind), placement);
  const experts = (model.moe?.experts ?? 1) / placement.expertParallel;
  const head = kind === "head" || kind === "mtp" ? headMatrix(model, placement) : 0;
  return ACTIVATION_BYTES[precision] * (layer.dense + layer.expert / experts + head);
}

/** The kind of decoder layer that stands beside a part. */
export function layerKindOf(model: ModelShape, kind: PartKind): "dense" | "moe" {
  return kind === "dense" || kind === "moe" ? kind : (model.layers.at(-1)?.kind ?? "dense");
}

function headMatrix(model: ModelShape, placement: Placement): number {
  return (model.vocabSize * model.hiddenSize) / placement.tensorParallel;
}
