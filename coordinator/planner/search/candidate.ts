import { partMemory } from "../cost/memory/part-memory.ts";
import { hopMs, partTime } from "../cost/time/part-time.ts";
import { straggleOf } from "../cost/time/straggle.ts";
import type {
  PartKind,
  PartMemory,
  PartParameters,
  PartTime,
  Placement,
  RecomputeKind,
  Workload,
} from "../cost/workload.ts";
import { partParameters } from "../model/count-parameters.ts";
import { hasLayer, type ModelParts } from "./model-parts.ts";

/** Everything one class of parts costs on one rank of a placement. */
export interface PartCost extends PartTime, PartMemory {
  parameters: PartParameters;
}

/** A placement with the costs of all its parts. */
export interface Candidate {
  workload: Workload;
  placement: Placement;
  numMicroBatches: number;
  /** One entry a class of parts. */
  classCosts: readonly PartCost[];
  /** Of one pipeline hop. */
  p2pMs: number;
}

/** Costs every class of parts once for a placement. */
export function costCandidate(
  workload: Workload,
  placement: Placement,
  { classes }: ModelParts,
): Candidate {
  const slower = straggleOf(gpusOf(placement));
  const byKind = new Map<PartKind, PartCost>();
  const costOf = (kind: PartKind) => {
    let cost = byKind.get(kind);
    if (cost === undefined) {
      cost = costKind(workload, placement, kind, slower);
      byKind.set(kind, cost);
    }
    return cost;
  };
  const sequences = workload.globalBatchSize / placement.dataParallel;
  return {
    workload,
    placement,
    numMicroBatches: sequences / placement.microBatchSize,
    classCosts: classes.map(({ kinds }) => {
      const isLayer = hasLayer(kinds);
      return kinds
        .map((kind) => (isLayer ? besideLayer(kind, costOf(kind)) : costOf(kind)))
        .reduce(addCosts);
    }),
    p2pMs: placement.pipelineParallel > 1 ? slower * hopMs(workload, placement) : 0,
  };
}

/** Weights, gradients and optimizer state of the mean rank. */
export function meanStaticBytes(
  { classCosts, placement }: Candidate,
  { classes }: ModelParts,
): number {
  let bytes = 0;
  for (const [index, { count }] of classes.entries()) {
    bytes += count * (classCosts[index] as PartCost).staticBytes;
  }
  return bytes / placement.pipelineParallel;
}

export function gpusOf(placement: Placement): number {
  const { tensorParallel, contextParallel, dataParallel, pipelineParallel } = placement;
  return tensorParallel * contextParallel * dataParallel * pipelineParallel;
}

function costKind(
  workload: Workload,
  placement: Placement,
  kind: PartKind,
  slower: number,
): PartCost {
  const time = partTime(workload, placement, kind);
  const { none, selective, full } = time.recomputeMs;
  return {
    ...partMemory(workload, placement, kind),
    forwardMs: slower * time.forwardMs,
    backwardMs: slower * time.backwardMs,
    weightGradMs: slower * time.weightGradMs,
    forwardCommunicationMs: slower * time.forwardCommunicationMs,
    backwardCommunicationMs: slower * time.backwardCommunicationMs,
    recomputeMs: { none: slower * none, selective: slower * selective, full: slower * full },
    parameters: partParameters(workload.model, kind, placement),
  };
}

/** A head or MTP layer beside a decoder layer is never recomputed, whatever the layer does. */
function besideLayer(kind: PartKind, cost: PartCost): PartCost {
  if (kind !== "head" && kind !== "mtp") return cost;
  const always = ({ none }: Record<RecomputeKind, number>) => ({
    none,
    selective: none,
    full: none,
  });
  return {
    ...cost,
    recomputeMs: always(cost.recomputeMs),
    activationBytes: always(cost.activationBytes),
    workspaceBytes: always(cost.workspaceBytes),
  };
}

function addCosts(a: PartCost, b: PartCost): PartCost {
  const each = (
    x: Record<RecomputeKind, number>,
    y: Record<RecomputeKind, number>,
    join: (p: number, q: number) => number,
  ) => ({
    none: join(x.none, y.none),
    selective: join(x.selective, y.selective),
    full: join(x.full, y.full),
  });
  const sum = (p: number, q: number) => p + q;
  return {
    forwardMs: a.forwardMs + b.forwardMs,
    backwardMs: a.backwardMs + b.backwardMs,
    weightGradMs: a.weightGradMs + b.weightGradMs,
    forwardCommunicationMs: a.forwardCommunicationMs + b.forwardCommunicationMs,
    backwardCommunicationMs: a.backwardCommunicationMs + b.backwardCommunicationMs,
    recomputeMs: each(a.recomputeMs, b.recomputeMs, sum),
    staticBytes: a.staticBytes + b.staticBytes,
    activationBytes: each(a.activationBytes, b.activationBytes, sum),
    workspaceBytes: each(a.workspaceBytes, b.workspaceBytes, Math.max),
    parameters: {
      dense: a.parameters.dense + b.parameters.dense,
      expert: a.parameters.expert + b.parameters.expert,
    },
  };
}
