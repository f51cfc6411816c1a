import type { RecomputeKind } from "../cost/workload.ts";
import type { FixedSizes } from "../layout/sizes.ts";
import type { ScheduleName } from "../plan-document.ts";

/** What software the plan must be sayable in; `any` asks for nothing. */
export const TARGETS = ["any", "moestro", "megatron", "torchtitan"] as const;
export type Target = (typeof TARGETS)[number];

/** What a person fixed, and what the search may choose from. */
export interface Constraints {
  /** GPUs in all. */
  ranks: number;
  fixed: FixedSizes;
  /** Sequences; free when absent. */
  microBatchSize?: number | undefined;
  virtualPipeline?: number | undefined;
  schedules: readonly ScheduleName[];
  /** Recompute kinds a layer may get. */
  recompute: readonly RecomputeKind[];
  /** One entry a layer; undefined leaves a layer free. */
  recomputePerLayer?: readonly (RecomputeKind | undefined)[] | undefined;
  /** The first so many layers of every chunk recompute most, the others least. */
  recomputeFirst?: number | undefined;
  /** Decoder layers of each stage, when fixed by hand. */
  layersPerStage?: readonly number[] | undefined;
  /** Equally many decoder layers a stage, or one more. */
  evenStages?: boolean | undefined;
  /** Only pipelines whose stages divide the decoder layers. */
  layersDivide?: boolean | undefined;
  target: Target;
  /** Bytes of each GPU that the plan leaves alone; the memory model's default when absent. */
  reserveBytes?: number | undefined;
}
