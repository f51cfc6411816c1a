/** The sizes of a layout that a person may fix and the planner chooses. */
export interface LayoutSizes {
  tensorParallel: number;
  contextParallel: number;
  pipelineParallel: number;
  dataParallel: number;
  expertParallel: number;
  expertTensorParallel: number;
}

export type SizeName = keyof LayoutSizes;

/** `edp`, `ep`, `etp` or `folded`: how the experts' mesh lies on the attention's. */
export type SchemeName = "edp" | "ep" | "etp" | "folded";

/** A legal choice of every size. */
export interface CandidateLayout extends LayoutSizes {
  scheme: SchemeName;
  expertDataParallel: number;
}

/** What a person fixed; what is absent is free. */
export type FixedSizes = { [name in SizeName]?: number | undefined } & {
  scheme?: SchemeName | undefined;
};

/** The numbers of the model, batch and cluster that a layout has to fit. */
export interface LayoutLimits {
  ranks: number;
  layers: number;
  heads: number;
  kvHeads: number;
  experts: number;
  ffnHiddenSize: number;
  /** Widths that tensor parallelism cuts, where the model has such parts. */
  denseFfnHiddenSize?: number | undefined;
  sharedFfnHiddenSize?: number | undefined;
  sequenceLength: number;
  globalBatchSize: number;
  /** Absent when the planner picks it. */
  microBatchSize?: number | undefined;
}

/** All divisors of a positive whole number, ascending. */
export function divisors(n: number): number[] {
  const low: number[] = [];
  const high: number[] = [];
  for (let d = 1; d * d <= n; d++) {
    if (n % d !== 0) continue;
    low.push(d);
    if (d * d !== n) high.unshift(n / d);
  }
  return [...low, ...high];
}

/**
 * The scheme a set of sizes amounts to. `edp` is EP = TP with whole experts;
 * `etp` splits experts over the tensor-parallel group; `ep` keeps experts whole
 * and spreads them inside the data-parallel ranks (TP = 1) or over all ranks of
 * a stage, as Megatron's does; everything else is `folded`.
 */
export function schemeOf(sizes: LayoutSizes): SchemeName {
  const { tensorParallel: tp, expertParallel: ep, expertTensorParallel: etp } = sizes;
  if (etp === 1 && ep === tp) return "edp";
  if (etp === tp) return tp === 1 ? "ep" : "etp";
  const ranksOfStage = tp * sizes.contextParallel * sizes.dataParallel;
  return etp === 1 && ep === ranksOfStage ? "ep" : "folded";
}
