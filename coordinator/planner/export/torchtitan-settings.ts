import { MoestroError } from "../../errors.ts";
import type { PlanChoice, PlanDocument } from "../plan-document.ts";
import { TORCH_SCHEDULES, whyNotTorchSchedule } from "../schedule/torch-schedules.ts";
import { moduleNames } from "./torchtitan-modules.ts";

/** v0.2.2, configured in TOML, or the present one, configured in Python. */
export type TorchtitanDialect = "0.2" | "current";

export type ActivationCheckpoint = "none" | "selective" | "full";

/** A plan in torchtitan's terms, which both dialects share. */
export interface TorchtitanSettings {
  replicate: number;
  shard: number;
  reshardAfterForward: "default" | "always" | "never";
  /** torch.distributed.pipelining's name; absent without a pipeline. */
  schedule?: string | undefined;
  modules: string[][];
  activationCheckpoint: ActivationCheckpoint;
  /** What the plan says and torchtitan cannot, a sentence each. */
  notes: string[];
}

/** Why torchtitan cannot run a plan; undefined when it can. */
function torchtitanExpressible(choice: PlanChoice, dialect: TorchtitanDialect): string | undefined {
  const { layout, stages } = choice;
  const { tensorParallel: tp, contextParallel: cp, expertParallel: ep } = layout;
  const etp = layout.expertTensorParallel;
  const sparse = layout.dataParallel * cp * tp;
  if (stages.some((stage) => stage.mtpLayers > 0) && (layout.pipelineParallel > 1 || cp > 1)) {
    return "torchtitan's multi-token prediction runs neither in a pipeline nor with context parallelism";
  }
  if (dialect === "0.2" && stages.some((stage) => stage.mtpLayers > 0)) {
    return "torchtitan v0.2.2 has no multi-token prediction";
  }
  const empty = stages.find((s) => s.layers === null && !s.hasEmbedding && !s.hasHead);
  if (empty !== undefined)
    return `stage ${empty.stage} is empty, and torchtitan builds no stage without modules`;
  if (dialect === "current" && etp > 1) {
    return `torchtitan no longer splits experts over tensor-parallel ranks (expertTensorParallel ${etp})`;
  }
  if (dialect === "0.2" && etp !== 1 && etp !== tp) {
    return `torchtitan v0.2.2 takes expertTensorParallel 1 or ${tp} (tensorParallel), not ${etp}`;
  }
  if (dialect === "0.2" && etp > 1 && ep === 1) {
    return "torchtitan v0.2.2 splits experts over tensor-parallel ranks only with expertParallel above 1";
  }
  if (ep > 1 && (sparse / etp) % ep !== 0) {
    return `expertParallel ${ep} does not divide the ${sparse / etp} ranks that torchtitan spreads experts over`;
  }
  return whyNotTorchSchedule(layout.schedule, layout.pipelineParallel, layout.numMicroBatches);
}

/** Throws `invalid_input` where torchtitan cannot run the plan. */
export function torchtitanSettings(
  document: PlanDocument,
  dialect: TorchtitanDialect,
): TorchtitanSettings {
  const { best, batch } = document;
  const refusal = torchtitanExpressible(best, dialect);
  if (refusal !== undefined) {
    throw new MoestroError(
      "invalid_input",
      `export: ${refusal}; fix the layout in the job, or export to ${dialect === "current" ? "torchtitan-0.2 or " : ""}megatron`,
    );
  }
  const notes: string[] = [];
  const { layout } = best;
  // Experts are spread over sharding ranks, so plain replicas are for models without them.
  const replicated =
    layout.optimizerSharding === "none" &&
    (document.model.experts === 0 || layout.expertParallel === 1);
  if (layout.optimizerSharding !== "fsdp" && !replicated && layout.dataParallel > 1) {
    notes.push(
      `optimizer sharding ${layout.optimizerSharding}: torchtitan shards weights too; fsdp_reshard_after_forward = never gathers them once a step, which is nearest`,
    );
  }
  if (document.model.experts > 0 && batch.capacityFactor !== "dropless") {
    notes.push(
      `capacity factor ${batch.capacityFactor}: torchtitan drops no token, so memory grows with imbalance`,
    );
  }
  if (batch.precision === "fp8") notes.push("fp8: add torchtitan's float8 converters to the model");
  return {
    replicate: replicated ? layout.dataParallel : 1,
    shard: replicated ? 1 : layout.dataParallel,
    reshardAfterForward: layout.optimizerSharding === "fsdp" ? "always" : "never",
    schedule: layout.pipelineParallel > 1 ? TORCH_SCHEDULES[layout.schedule] : undefined,
    modules: moduleNames(best.stages, dialect === "0.2" ? "output" : "lm_head"),
    activationCheckpoint: activationCheckpoint(best, notes),
    notes,
  };
}

/** torchtitan has one mode for all layers: the strongest that the plan uses anywhere. */
function activationCheckpoint(choice: PlanChoice, notes: string[]): ActivationCheckpoint {
  const kinds = new Set(choice.stages.flatMap((stage) => stage.recompute));
  const mode = kinds.has("full") ? "full" : kinds.has("selective") ? "selective" : "none";
  if (kinds.size > 1) {
    notes.push(
      `recompute: the plan chooses by layer (${[...kinds].join(", ")}); torchtitan has one mode for all, so here every layer is ${mode}, which fits but costs time`,
    );
  }
  return mode;
}
