import { partParameters } from "../../model/count-parameters.ts";
import type { PartKind, PartMemory, Placement, RecomputeKind, Workload } from "../workload.ts";
import {
  addKept,
  attentionKept,
  denseKept,
  type Kept,
  moeKept,
  type Sizes,
  sizesOf,
} from "./activations.ts";
import {
  gatherBufferBytes,
  gatheredWeightBytes,
  layerKindOf,
  unusedGradientBytes,
} from "./buffers.ts";
import { MEMORY_FACTORS, type MemoryFactors } from "./factors.ts";
import { staticBytes } from "./static-bytes.ts";

/**
 * Memory of one part on one rank, in bytes: static, kept for each micro-batch in
 * flight, and held once while the part runs backward. A stage's peak is the sum
 * of its parts' static and in-flight bytes and its largest workspace.
 */
export function partMemory(
  workload: Workload,
  placement: Placement,
  kind: PartKind,
  factors: MemoryFactors = MEMORY_FACTORS[workload.stack],
): PartMemory {
  const isTable = kind === "embedding" || kind === "head";
  const parameters = partParameters(
    workload.model,
    kind,
    isTable && factors.wholeTables ? { ...placement, tensorParallel: 1 } : placement,
  );
  const { optimizerSharding: sharding, precision } = workload;
  const sizes = sizesOf(workload, placement, factors);
  const held =
    gatherBufferBytes(workload, placement, factors) +
    gatheredWeightBytes(workload, factors, parameters) +
    unusedGradientBytes(workload, placement, kind, factors);
  const { activationBytes, workspaceBytes } = activations(
    workload,
    placement,
    kind,
    factors,
    sizes,
  );
  return {
    staticBytes: staticBytes(parameters, placement, sharding, precision, factors),
    activationBytes,
    workspaceBytes: mapKinds(workspaceBytes, (bytes) => bytes + held),
  };
}

type Activations = Pick<PartMemory, "activationBytes" | "workspaceBytes">;

function activations(
  workload: Workload,
  placement: Placement,
  kind: PartKind,
  factors: MemoryFactors,
  sizes: Sizes,
): Activations {
  switch (kind) {
    case "embedding":
      return embeddingActivations(workload, sizes);
    case "head":
      return headActivations(workload, factors, sizes);
    case "mtp":
      return mtpActivations(workload, placement, factors, sizes);
    case "dense":
    case "moe":
      return layerActivations(layerKept(workload, placement, kind, factors, sizes));
  }
}

function layerKept(
  workload: Workload,
  placement: Placement,
  kind: "dense" | "moe",
  factors: MemoryFactors,
  sizes: Sizes,
): Kept {
  const attention = attentionKept(workload, factors, sizes);
  return addKept(
    attention,
    kind === "dense"
      ? denseKept(workload, factors, sizes)
      : moeKept(workload, placement, factors, sizes),
  );
}

/** Recompute trades what is kept of every micro-batch for what one layer brings back. */
function layerActivations({ input, dear, cheap, transient }: Kept): Activations {
  return {
    activationBytes: { none: input + dear + cheap, selective: input + dear, full: input },
    workspaceBytes: {
      none: transient,
      selective: transient + cheap,
      full: transient + cheap + dear,
    },
  };
}

/** Token numbers, positions and labels; the looked-up rows are the first layer's input. */
function embeddingActivations(workload: Workload, sizes: Sizes): Activations {
  const rows = sizes.bytes * workload.model.hiddenSize * sizes.tokens;
  return { activationBytes: same(3 * 8 * sizes.tokens), workspaceBytes: same(rows) };
}

/** Last norm, and the loss over logits that are split over the vocabulary. */
function headActivations(workload: Workload, factors: MemoryFactors, sizes: Sizes): Activations {
  const norm = (sizes.bytes + sizes.inputBytes) * workload.model.hiddenSize * sizes.tokensOfRank;
  const logits = (workload.model.vocabSize * sizes.tokens) / sizes.tp;
  return {
    activationBytes: same(norm + factors.lossKeptBytes * logits),
    workspaceBytes: same(factors.lossPeakBytes * logits),
  };
}

/** A layer, a projection of two normed inputs joined, and a loss of its own (DeepSeek-V3 2412.19437, section 2.2). */
function mtpActivations(
  workload: Workload,
  placement: Placement,
  factors: MemoryFactors,
  sizes: Sizes,
): Activations {
  const kind = layerKindOf(workload.model, "mtp");
  const layer = layerActivations(layerKept(workload, placement, kind, factors, sizes));
  const head = headActivations(workload, factors, sizes);
  const joined = 2 * 2 * sizes.bytes * workload.model.hiddenSize * sizes.tokensOfRank;
  return {
    activationBytes: mapKinds(
      layer.activationBytes,
      (bytes, kept) => bytes + joined + head.activationBytes[kept],
    ),
    workspaceBytes: mapKinds(layer.workspaceBytes, (bytes, kept) =>
      Math.max(bytes, head.workspaceBytes[kept]),
    ),
  };
}

function same(bytes: number): Record<RecomputeKind, number> {
  return { none: bytes, selective: bytes, full: bytes };
}

function mapKinds(
  record: Record<RecomputeKind, number>,
  change: (bytes: number, kind: RecomputeKind) => number,
): Record<RecomputeKind, number> {
  return {
    none: change(record.none, "none"),
    selective: change(record.selective, "selective"),
    full: change(record.full, "full"),
  };
}
