import { MoestroError } from "../../errors.ts";
import type { PlanChoice, PlanDocument, PlannedLayout, PlannedStage } from "../plan-document.ts";
import { leastGroupSize } from "../schedule/interleaved.ts";
import { formatMegatronLayout, whyNotMegatronStages } from "./megatron-layout.ts";
import { type MegatronModel, megatronModel } from "./megatron-model.ts";
import { megatronRecompute } from "./megatron-recompute.ts";

/** A target's text and what of the plan it cannot say, a sentence each. */
export interface Exported {
  text: string;
  notes: string[];
}

/** Letters of a stage in Megatron's layout: `Ettt`, `ttmL`. */
function stageLetters(stage: PlannedStage): string {
  const layers = stage.layers === null ? 0 : stage.layers[1] - stage.layers[0] + 1;
  return `${stage.hasEmbedding ? "E" : ""}${"t".repeat(layers)}${"m".repeat(stage.mtpLayers)}${stage.hasHead ? "L" : ""}`;
}

/** Stages in the order of their index, chunk · PP + rank, which is Megatron's too. */
function lettersOf(choice: PlanChoice): string[] {
  return [...choice.stages].sort((a, b) => a.stage - b.stage).map(stageLetters);
}

/** Micro-batches that an interleaved rank takes of one chunk before the next. */
function microBatchGroup({ pipelineParallel: numRanks, numMicroBatches }: PlannedLayout) {
  return leastGroupSize({ numRanks, numMicroBatches });
}

/**
 * Why Megatron-Core cannot run a plan's layout, stages or schedule; undefined
 * when it can. Recompute is apart: it can be rounded up (`megatronRecompute`).
 */
export function megatronExpressible(choice: PlanChoice): string | undefined {
  const { layout } = choice;
  if (layout.pipelineParallel > 1) {
    if (layout.schedule !== "1f1b" && layout.schedule !== "interleaved") {
      return `Megatron-Core has no ${layout.schedule} schedule, only 1f1b and interleaved`;
    }
    if (layout.virtualPipeline > 1 && microBatchGroup(layout) === undefined) {
      return `Megatron-Core interleaves at least ${layout.pipelineParallel} micro-batches on so many ranks, not ${layout.numMicroBatches}`;
    }
  }
  if (layout.virtualPipeline > 1 !== (layout.schedule === "interleaved")) {
    return `${layout.virtualPipeline} chunks a rank do not go with Megatron-Core's ${layout.schedule} schedule`;
  }
  return whyNotMegatronStages(lettersOf(choice), layout.pipelineParallel);
}

/** The plan as Megatron-Core's flags, one a line, to paste behind `pretrain_gpt.py`. */
export function exportMegatron(document: PlanDocument): Exported {
  const { best, batch, model } = document;
  const refusal = megatronExpressible(best);
  if (refusal !== undefined) {
    throw new MoestroError(
      "invalid_input",
      `export: ${refusal}; plan with --expressible megatron, or export to torchtitan`,
    );
  }
  const moe = model.experts > 0;
  const sizes: MegatronModel =
    model.shape === undefined
      ? {
          flags: flagsWithoutShape(document),
          notes: ["the plan has no model shape: only the sizes it names are given"],
        }
      : megatronModel(model.shape, batch.sequenceLength);
  const recompute = megatronRecompute(best.stages, moe);
  const flags = [
    ...layoutFlags(best, moe),
    ...sizes.flags,
    `--seq-length ${batch.sequenceLength}`,
    `--micro-batch-size ${best.layout.microBatchSize}`,
    `--global-batch-size ${batch.globalBatchSize}`,
    ...(moe ? capacityFlags(batch.capacityFactor) : []),
    ...recompute.flags,
    ...precisionFlags(batch.precision),
    ...shardingFlags(best.layout),
  ];
  const notes = recompute.note === undefined ? [] : [recompute.note];
  const comments = [
    `${document.job}: ${model.name} on ${document.cluster.gpus} GPUs, planned by moestro`,
    ...notes,
    ...sizes.notes,
    "data, tokenizer, learning rate and router losses are yours to add",
  ];
  return {
    text: `${comments.map((line) => `# ${oneLine(line)}\n`).join("")}${flags.join(" \\\n")}\n`,
    notes,
  };
}

/** Names come from people's files; a line break would end the comment. */
function oneLine(text: string): string {
  return text.replaceAll(/[\r\n\u2028\u2029]+/g, " ");
}

function layoutFlags(choice: PlanChoice, moe: boolean): string[] {
  const { layout } = choice;
  const group = layout.virtualPipeline > 1 ? microBatchGroup(layout) : undefined;
  return [
    `--tensor-model-parallel-size ${layout.tensorParallel}`,
    ...(layout.tensorParallel > 1 ? ["--sequence-parallel"] : []),
    `--context-parallel-size ${layout.contextParallel}`,
    `--pipeline-model-parallel-size ${layout.pipelineParallel}`,
    `--pipeline-model-parallel-layout "${formatMegatronLayout(lettersOf(choice))}"`,
    ...(group === undefined || group === layout.pipelineParallel
      ? []
      : [`--microbatch-group-size-per-virtual-pipeline-stage ${group}`]),
    `--expert-model-parallel-size ${moe ? layout.expertParallel : 1}`,
    // Left out, it would be the tensor-parallel size.
    `--expert-tensor-parallel-size ${layout.expertTensorParallel}`,
  ];
}

function flagsWithoutShape({ model }: PlanDocument): string[] {
  return [
    `--num-layers ${model.layers}`,
    `--hidden-size ${model.hiddenSize}`,
    `--num-attention-heads ${model.heads}`,
    ...(model.kvHeads === model.heads
      ? []
      : ["--group-query-attention", `--num-query-groups ${model.kvHeads}`]),
    ...(model.experts > 0
      ? [`--num-experts ${model.experts}`, `--moe-router-topk ${model.topK}`]
      : []),
    `--vocab-size ${model.vocabSize}`,
  ];
}

/** The planner counts every slot as computed, so the slots are padded. */
function capacityFlags(capacityFactor: number | "dropless"): string[] {
  if (capacityFactor === "dropless") return [];
  return [
    `--moe-expert-capacity-factor ${capacityFactor}`,
    "--moe-pad-expert-input-to-capacity",
    "--moe-token-drop-policy probs",
  ];
}

function precisionFlags(precision: string): string[] {
  if (precision === "fp8") return ["--bf16", "--fp8-format hybrid"];
  return precision === "bf16" ? ["--bf16"] : [];
}

function shardingFlags({ optimizerSharding }: PlannedLayout): string[] {
  const overlap = ["--overlap-grad-reduce", "--overlap-param-gather"];
  if (optimizerSharding === "zero1") return ["--use-distributed-optimizer", ...overlap];
  if (optimizerSharding === "fsdp") {
    return [
      "--use-megatron-fsdp",
      "--data-parallel-sharding-strategy optim_grads_params",
      "--use-distributed-optimizer",
      ...overlap,
    ];
  }
  return ["--overlap-grad-reduce"];
}
