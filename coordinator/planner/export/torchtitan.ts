import type { PlanDocument } from "../plan-document.ts";
import type { Exported } from "./megatron.ts";
import {
  type ActivationCheckpoint,
  type TorchtitanSettings,
  torchtitanSettings,
} from "./torchtitan-settings.ts";

/**
 * Sections of a torchtitan v0.2.2 job file (TOML), by its
 * `torchtitan/config/job_config.py`. Model, data and optimizer are the reader's.
 */
export function exportTorchtitan02(document: PlanDocument): Exported {
  const settings = torchtitanSettings(document, "0.2");
  const { best, batch } = document;
  const { layout } = best;
  const piped = settings.schedule !== undefined;
  const training = {
    seq_len: batch.sequenceLength,
    // Micro-batches of a pipeline are cut out of the local batch; without one, gradients accumulate.
    local_batch_size: layout.microBatchSize * (piped ? layout.numMicroBatches : 1),
    global_batch_size: batch.globalBatchSize,
    mixed_precision_param: batch.precision === "fp32" ? "float32" : "bfloat16",
  };
  const parallelism = {
    ...degrees(document, settings),
    expert_tensor_parallel_degree: layout.expertTensorParallel,
    ...(piped
      ? {
          pipeline_parallel_schedule: settings.schedule,
          pipeline_parallel_microbatch_size: layout.microBatchSize,
        }
      : {}),
  };
  const checkpoint = {
    mode: settings.activationCheckpoint,
    ...(settings.activationCheckpoint === "selective" ? { selective_ac_option: "op" } : {}),
  };
  const text = [
    ...comments(document, "v0.2.2", settings),
    "",
    ...tomlSection("training", training),
    "",
    ...tomlSection("parallelism", parallelism),
    ...(piped ? ["module_fqns_per_model_part = [", ...moduleLines(settings, "  "), "]"] : []),
    "",
    ...tomlSection("activation_checkpoint", checkpoint),
  ];
  return { text: `${text.join("\n")}\n`, notes: settings.notes };
}

const CHECKPOINT_CLASSES: Record<ActivationCheckpoint, string | undefined> = {
  none: undefined,
  selective: "SelectiveAC",
  full: "FullAC",
};

/**
 * A Python module for the present torchtitan, whose configurations are functions
 * that return a `Trainer.Config` (`torchtitan/config/README.md`): `apply_plan`
 * changes a configuration of yours.
 */
export function exportTorchtitan(document: PlanDocument): Exported {
  const settings = torchtitanSettings(document, "current");
  const { best, batch } = document;
  const { layout } = best;
  const piped = settings.schedule !== undefined;
  const checkpoint = CHECKPOINT_CLASSES[settings.activationCheckpoint];
  const parallelism = {
    ...degrees(document, settings),
    ...(piped
      ? {
          pipeline_parallel_schedule: settings.schedule,
          num_pp_microbatches: layout.numMicroBatches,
        }
      : {}),
  };
  const text = [
    ...comments(document, "the present release line", settings),
    "",
    "from torchtitan.config import ParallelismConfig",
    ...(checkpoint === undefined
      ? []
      : [`from torchtitan.distributed.activation_checkpoint import ${checkpoint}`]),
    "from torchtitan.trainer import Trainer",
    "",
    "",
    "def apply_plan(config: Trainer.Config) -> Trainer.Config:",
    `    config.training.max_context_length = ${batch.sequenceLength}`,
    `    config.training.num_tokens_per_microbatch_per_dp_rank = ${layout.microBatchSize * batch.sequenceLength}`,
    `    config.training.num_tokens_per_train_step = ${batch.globalBatchSize * batch.sequenceLength}`,
    `    config.training.mixed_precision_param = "${batch.precision === "fp32" ? "float32" : "bfloat16"}"`,
    "    config.parallelism = ParallelismConfig(",
    ...Object.entries(parallelism).map(
      ([key, value]) => `        ${key}=${JSON.stringify(value)},`,
    ),
    ...(piped
      ? [
          "        module_fqns_per_model_part=[",
          ...moduleLines(settings, "            "),
          "        ],",
        ]
      : []),
    "    )",
    `    config.activation_checkpoint = ${checkpoint === undefined ? "None" : `${checkpoint}.Config()`}`,
    "    return config",
  ];
  return { text: `${text.join("\n")}\n`, notes: settings.notes };
}

/** Options that both dialects name alike. */
function degrees({ best, model }: PlanDocument, settings: TorchtitanSettings) {
  const { layout } = best;
  return {
    data_parallel_replicate_degree: settings.replicate,
    data_parallel_shard_degree: settings.shard,
    fsdp_reshard_after_forward: settings.reshardAfterForward,
    tensor_parallel_degree: layout.tensorParallel,
    context_parallel_degree: layout.contextParallel,
    pipeline_parallel_degree: layout.pipelineParallel,
    expert_parallel_degree: model.experts > 0 ? layout.expertParallel : 1,
  };
}

function moduleLines({ modules }: TorchtitanSettings, indent: string): string[] {
  return modules.map((names) => `${indent}[${names.map((name) => `"${name}"`).join(", ")}],`);
}

function tomlSection(name: string, values: Record<string, string | number | undefined>): string[] {
  return [
    `[${name}]`,
    ...Object.entries(values).map(([key, value]) => `${key} = ${JSON.stringify(value)}`),
  ];
}

function comments(document: PlanDocument, release: string, settings: TorchtitanSettings): string[] {
  return [
    `${document.job}: ${document.model.name} on ${document.cluster.gpus} GPUs, planned by moestro for torchtitan, ${release}`,
    ...settings.notes,
  ].map((line) => `# ${line.replaceAll(/[\r\n]+/g, " ")}`);
}
