import { Command, InvalidArgumentError } from "commander";
import { MoestroError } from "../errors.ts";
import { type Advice, advise, type TrainingCost } from "../planner/advise.ts";
import { findModelShape } from "../planner/model/find-model-shape.ts";
import type { ModelShape } from "../planner/model/model-shape.ts";
import { shapeOfJob } from "../planner/model/shape-of-job.ts";
import { MODEL_NAMES } from "../planner/model/shapes.ts";
import { loadPlanJob } from "../spec/load-job.ts";
import { nearestName } from "../spec/suggest.ts";

/** Where no job says one. */
const USUAL_SEQUENCE_LENGTH = 4096;

/** Far beyond all text there is; FLOPs of as many stay finite. */
const MOST_TOKENS = 1e18;

type AdviseOptions = {
  model: string;
  tokens: number;
  denseModel?: string;
  denseTokens?: number;
  dense: boolean;
  sequenceLength?: number;
  json: boolean;
};

export function adviseCommand(): Command {
  return new Command("advise")
    .description("upcycle a dense model or train from scratch, by the FLOPs of both")
    .requiredOption("--model <model>", "the MoE model: a preset, or a job file (YAML)")
    .requiredOption("--tokens <number>", "tokens it is to be trained on", parseTokens)
    .option("--dense-model <model>", "the dense model there is a checkpoint of")
    .option("--dense-tokens <number>", "tokens it was trained on", parseTokens)
    .option("--no-dense", "there is no dense checkpoint")
    .option("--sequence-length <number>", "tokens of a sequence, for attention", parseLength)
    .option("--json", "the advice as one JSON object", false)
    .action(async (options: AdviseOptions) => {
      const advice = await adviceFor(options);
      console.log(options.json ? JSON.stringify(advice, null, 2) : describeAdvice(advice));
    });
}

async function adviceFor(options: AdviseOptions): Promise<Advice> {
  const { model, tokens, denseModel, denseTokens, dense } = options;
  const moe = await readModel("--model", model);
  if (moe.shape.moe === undefined) {
    throw invalid(`--model: ${model} is a dense model; give the MoE model that is to be trained`);
  }
  const sequenceLength = options.sequenceLength ?? moe.sequenceLength ?? USUAL_SEQUENCE_LENGTH;
  const given = { name: model, shape: moe.shape, tokens };
  if (!dense) {
    if (denseModel !== undefined || denseTokens !== undefined) {
      throw invalid("--no-dense: is given beside a dense model; keep one of the two");
    }
    return advise({ moe: given, dense: null, sequenceLength });
  }
  if (denseModel === undefined || denseTokens === undefined) {
    const absent = denseModel === undefined ? "--dense-model" : "--dense-tokens";
    throw invalid(`${absent}: is missing; add it, or say --no-dense if there is no checkpoint`);
  }
  const { shape } = await readModel("--dense-model", denseModel);
  return advise({
    moe: given,
    dense: { name: denseModel, shape, tokens: denseTokens },
    sequenceLength,
  });
}

async function readModel(
  option: string,
  name: string,
): Promise<{ shape: ModelShape; sequenceLength?: number }> {
  if (/\.ya?ml$/.test(name)) {
    const { job } = await loadPlanJob(name);
    return { shape: shapeOfJob(job), sequenceLength: job.training.sequenceLength };
  }
  const shape = findModelShape(name);
  if (shape !== undefined) return { shape };
  const nearest = nearestName(name, MODEL_NAMES);
  const remedy =
    nearest === undefined ? `use ${MODEL_NAMES.join(", ")}` : `did you mean ${nearest}?`;
  throw invalid(`${option}: ${JSON.stringify(name)} is no preset and no YAML file; ${remedy}`);
}

/** The advice in a few lines, for people. */
function describeAdvice(advice: Advice): string {
  const { decision, moe, dense, reason, learningRate, initialization, warnings } = advice;
  return [
    decision === "upcycle" ? "Upcycle the dense model." : "Train from scratch.",
    `  C_MoE    ${describeCost(moe)}`,
    ...(dense === null ? [] : [`  C_dense  ${describeCost(dense)}`]),
    `  Rule: ${reason}`,
    `  Learning rate: ${learningRate}`,
    `  Experts: ${initialization}`,
    ...warnings.map((warning) => `  Note: ${warning}`),
    `  (FLOPs: 6 a token and active parameter without the embedding table, and causal attention over ${advice.sequenceLength} tokens.)`,
  ].join("\n");
}

function describeCost({ name, activeParameters, totalParameters, tokens, flops }: TrainingCost) {
  const billions = (count: number) => `${(count / 1e9).toPrecision(3)} B`;
  return `${flops.toExponential(2)} FLOPs: ${name}, ${billions(activeParameters)} active of ${billions(totalParameters)} parameters, ${tokens.toPrecision(3)} tokens`;
}

function parseTokens(text: string): number {
  const tokens = Number(text);
  if (text.trim() !== "" && tokens >= 1 && tokens <= MOST_TOKENS) return tokens;
  throw new InvalidArgumentError(
    `give a number of tokens from 1 to ${MOST_TOKENS.toExponential()}, such as 1.2e12`,
  );
}

function parseLength(text: string): number {
  const length = Number(text);
  if (Number.isSafeInteger(length) && length >= 2) return length;
  throw new InvalidArgumentError("give a whole number of tokens from 2, such as 4096");
}

function invalid(line: string): MoestroError {
  return new MoestroError("invalid_input", line);
}
