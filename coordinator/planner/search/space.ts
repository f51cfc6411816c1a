import type { Workload } from "../cost/workload.ts";
import { arrangementsOf, leastMicroBatches } from "../layout/arrangements.ts";
import { legalValues } from "../layout/size-rules.ts";
import { divisors, type LayoutLimits, type LayoutSizes, schemeOf } from "../layout/sizes.ts";
import type { ScheduleName } from "../plan-document.ts";
import type { Constraints } from "./constraints.ts";

/** Sizes that the time of one layer for one micro-batch depends on. */
export interface LayerKey {
  tensorParallel: number;
  contextParallel: number;
  expertParallel: number;
  expertTensorParallel: number;
  microBatchSize: number;
}

/** The sizes of attention alone; the first level of the search. */
export type AttentionKey = Pick<LayerKey, "tensorParallel" | "contextParallel" | "microBatchSize">;

/** A layer key laid over the cluster: pipeline, replicas, schedule. */
export interface Arrangement {
  pipelineParallel: number;
  dataParallel: number;
  expertDataParallel: number;
  virtualPipeline: number;
  schedule: ScheduleName;
}

/** The legal layouts of a workload, level by level; rules in layout/size-rules.ts. */
export class Space {
  readonly #workload: Workload;
  readonly #constraints: Constraints;
  readonly #limits: LayoutLimits;
  readonly #numParts: number;
  readonly #values: Record<"tp" | "cp" | "ep" | "etp" | "pp", number[]>;
  readonly #data: Set<number>;

  constructor(workload: Workload, constraints: Constraints, numParts: number) {
    this.#workload = workload;
    this.#constraints = constraints;
    this.#numParts = numParts;
    this.#limits = limitsOf(workload, constraints, numParts);
    const { fixed } = constraints;
    const values = (name: keyof LayoutSizes) => {
      const legal = legalValues(name, this.#limits);
      const value = fixed[name];
      return value === undefined ? legal : legal.filter((other) => other === value);
    };
    const hasExperts = workload.model.moe !== undefined;
    this.#values = {
      tp: values("tensorParallel"),
      cp: values("contextParallel"),
      pp: values("pipelineParallel"),
      ep: hasExperts ? values("expertParallel") : [1],
      etp: hasExperts ? values("expertTensorParallel") : [1],
    };
    this.#data = new Set(values("dataParallel"));
  }

  /** TP, CP and micro-batch sizes that some layout has. */
  *attentionKeys(): Generator<AttentionKey> {
    const { ranks, microBatchSize } = this.#constraints;
    const { sequenceLength, globalBatchSize } = this.#workload;
    const sizes = divisors(globalBatchSize).filter(
      (size) => microBatchSize === undefined || size === microBatchSize,
    );
    for (const tensorParallel of this.#values.tp) {
      for (const contextParallel of this.#values.cp) {
        if (ranks % (tensorParallel * contextParallel) !== 0) continue;
        // Sequence parallelism splits over TP what context parallelism leaves.
        if (sequenceLength % (tensorParallel * contextParallel) !== 0) continue;
        for (const size of sizes) yield { tensorParallel, contextParallel, microBatchSize: size };
      }
    }
  }

  /** Expert sizes for an attention key, in every legal fold. */
  *layerKeys(key: AttentionKey): Generator<LayerKey> {
    const { ranks } = this.#constraints;
    for (const expertParallel of this.#values.ep) {
      for (const expertTensorParallel of this.#values.etp) {
        if (ranks % (expertParallel * expertTensorParallel) !== 0) continue;
        yield { ...key, expertParallel, expertTensorParallel };
      }
    }
  }

  /** Pipelines, replicas and schedules for a layer key. */
  *arrangements(key: LayerKey): Generator<Arrangement> {
    const { ranks, fixed } = this.#constraints;
    const attention = key.tensorParallel * key.contextParallel;
    const experts = key.expertParallel * key.expertTensorParallel;
    for (const pipelineParallel of this.#values.pp) {
      if (ranks % (pipelineParallel * attention) !== 0) continue;
      const ranksOfStage = ranks / pipelineParallel;
      const dataParallel = ranksOfStage / attention;
      if (ranksOfStage % experts !== 0 || !this.#data.has(dataParallel)) continue;
      const sequences = this.#workload.globalBatchSize / dataParallel;
      if (!Number.isInteger(sequences) || sequences % key.microBatchSize !== 0) continue;
      if (
        fixed.scheme !== undefined &&
        schemeOf({ ...key, pipelineParallel, dataParallel }) !== fixed.scheme
      )
        continue;
      const expertDataParallel = ranksOfStage / experts;
      const arranged = { pipelineParallel, dataParallel, expertDataParallel };
      const numMicroBatches = sequences / key.microBatchSize;
      for (const [schedule, virtualPipeline] of this.#schedules(
        pipelineParallel,
        numMicroBatches,
      )) {
        yield { ...arranged, schedule, virtualPipeline };
      }
    }
  }

  *#schedules(p: number, m: number): Generator<[ScheduleName, number]> {
    const { schedules, virtualPipeline, layersPerStage, layersDivide } = this.#constraints;
    const numLayers = this.#workload.model.layers.length;
    const limits = {
      schedules,
      virtualPipeline,
      numStages: layersPerStage?.length,
      mostStages: this.#numParts,
    };
    for (const [schedule, chunks] of arrangementsOf(p, limits)) {
      if (m < leastMicroBatches(schedule, p)) continue;
      if (layersDivide === true && numLayers % (p * chunks) !== 0) continue;
      yield [schedule, chunks];
    }
  }

  /** How many (layout, micro-batch, schedule) there are; counting costs nothing. */
  count(): number {
    let count = 0;
    for (const attention of this.attentionKeys()) {
      for (const key of this.layerKeys(attention)) {
        for (const _ of this.arrangements(key)) count++;
      }
    }
    return count;
  }
}

/** The numbers of a workload that bind its layout. */
export function limitsOf(
  workload: Workload,
  constraints: Constraints,
  numParts: number,
): LayoutLimits {
  const { model, sequenceLength, globalBatchSize } = workload;
  const { attention, moe, dense } = model;
  return {
    ranks: constraints.ranks,
    layers: numParts,
    heads: attention.heads,
    kvHeads: attention.kind === "gqa" ? attention.kvHeads : attention.heads,
    experts: moe?.experts ?? 1,
    ffnHiddenSize: moe?.ffn.hiddenSize ?? dense?.hiddenSize ?? 1,
    denseFfnHiddenSize: dense?.hiddenSize,
    sharedFfnHiddenSize: moe?.sharedFfnHiddenSize,
    sequenceLength,
    globalBatchSize,
    microBatchSize: constraints.microBatchSize,
  };
}
