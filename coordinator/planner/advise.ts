import { countModelParameters } from "./model/count-parameters.ts";
import { modelFlopsPerToken } from "./model/model-flops.ts";
import type { ModelShape } from "./model/model-shape.ts";

/** A model and the tokens it is, or was, trained on. */
export interface TrainingCost {
  name: string;
  totalParameters: number;
  activeParameters: number;
  tokens: number;
  /** Forward and backward over all tokens. */
  flops: number;
}

/** Which case of the rule applies. */
export type AdviceRule =
  | "no-dense-checkpoint"
  | "nothing-to-copy"
  | "much-less"
  | "between"
  | "at-least-twice";

/** `moestro advise --json`. */
export interface Advice {
  decision: "upcycle" | "scratch";
  rule: AdviceRule;
  /** The numbers and the rule, in one sentence. */
  reason: string;
  moe: TrainingCost;
  /** The dense model to start from, whose cost is sunk; null for none. */
  dense: TrainingCost | null;
  /** C_MoE over C_dense. */
  ratio: number | null;
  learningRate: string;
  initialization: string;
  /** What keeps the dense model's weights from being copied as they are. */
  warnings: string[];
  sequenceLength: number;
}

export interface AdviceInput {
  moe: { name: string; shape: ModelShape; tokens: number };
  dense: { name: string; shape: ModelShape; tokens: number } | null;
  sequenceLength: number;
}

/**
 * The report (arXiv 2406.06563, section 4) says "much less" without a number. Half
 * is taken: the counterpart of the factor 2 at which it trains from scratch.
 */
const MUCH_LESS = 0.5;
const FROM_SCRATCH = 2;

/** Rows of a vocabulary that are added so that it divides over ranks, at most. */
const VOCABULARY_PADDING = 128;

const NEW_RUN = "Take the schedule of a new run: warm-up to the peak, then decay.";

const LEARNING_RATE: Record<AdviceRule, string> = {
  "no-dense-checkpoint": NEW_RUN,
  "nothing-to-copy": NEW_RUN,
  "much-less":
    "Tune the schedule here too: try the dense run's final rate held constant against one re-warmed to about 3 times that, and watch how alike the experts stay.",
  between:
    "Tune the schedule, it decides: re-warm to about 3 times the final rate, or start at an earlier checkpoint; experts that continue at a constant low rate stay alike (similarity 0.23, against 0.15 and 0.08; from scratch 0.00).",
  "at-least-twice": NEW_RUN,
};

/**
 * Upcycle a dense model or train from scratch: by the FLOPs that training the MoE
 * model will take, C_MoE, against those sunk in the dense one, C_dense.
 */
export function advise({ moe, dense, sequenceLength }: AdviceInput): Advice {
  const cost = trainingCost(moe, sequenceLength);
  const sunk = dense === null ? null : trainingCost(dense, sequenceLength);
  const ratio = sunk === null ? null : cost.flops / sunk.flops;
  const obstacles = dense === null ? [] : copyObstacles(moe.shape, dense.shape);
  const rule = obstacles.length > 0 ? "nothing-to-copy" : ruleFor(ratio);
  const decision = rule === "much-less" || rule === "between" ? "upcycle" : "scratch";
  return {
    decision,
    rule,
    reason: reasonFor(rule, ratio, obstacles),
    moe: cost,
    dense: sunk,
    ratio,
    learningRate: LEARNING_RATE[rule],
    initialization:
      decision === "upcycle"
        ? "Copy the dense FFN into every expert and the rest as it is; initialise the router from noise."
        : "Initialise every expert and the router from noise, each expert on its own.",
    warnings: decision === "upcycle" && dense !== null ? mismatches(moe.shape, dense.shape) : [],
    sequenceLength,
  };
}

function ruleFor(ratio: number | null): AdviceRule {
  if (ratio === null) return "no-dense-checkpoint";
  if (ratio >= FROM_SCRATCH) return "at-least-twice";
  return ratio < MUCH_LESS ? "much-less" : "between";
}

function reasonFor(rule: AdviceRule, ratio: number | null, obstacles: readonly string[]): string {
  const share = `C_MoE is ${ratio?.toPrecision(3)} of C_dense`;
  switch (rule) {
    case "no-dense-checkpoint":
      return "There is no dense checkpoint to upcycle, so the model is trained from scratch.";
    case "nothing-to-copy":
      return `The model to start from cannot be upcycled: ${obstacles.join(", ")}.`;
    case "much-less":
      return `${share}, less than ${MUCH_LESS}: too little to reach from scratch what the dense model already knows, so upcycle.`;
    case "between":
      return `${share}, between ${MUCH_LESS} and ${FROM_SCRATCH}: upcycling saves cost.`;
    case "at-least-twice":
      return `${share}, at least ${FROM_SCRATCH}: enough for a model from scratch to overtake an upcycled one, whose experts begin alike.`;
  }
}

function trainingCost(
  { name, shape, tokens }: AdviceInput["moe"],
  sequenceLength: number,
): TrainingCost {
  const { total, active } = countModelParameters(shape);
  const flops = tokens * modelFlopsPerToken(shape, sequenceLength);
  return { name, totalParameters: total, activeParameters: active, tokens, flops };
}

/** What keeps a model's weights from becoming those of the MoE model at all. */
function copyObstacles(moe: ModelShape, source: ModelShape): string[] {
  const padding = moe.vocabSize - source.vocabSize;
  const isPadded = padding >= 0 && padding < VOCABULARY_PADDING;
  return [
    ...(source.moe === undefined ? [] : ["it is an MoE model itself"]),
    ...unlike([
      ["hidden size", moe.hiddenSize, source.hiddenSize],
      ["layers", moe.layers.length, source.layers.length],
      ["attention heads", moe.attention.heads, source.attention.heads],
      ...(isPadded ? [] : [["vocabulary", moe.vocabSize, source.vocabSize] as Size]),
    ]),
  ];
}

/** What cannot be copied as it is, where the rest can. */
function mismatches(moe: ModelShape, dense: ModelShape): string[] {
  const sizes = unlike([
    ["key-value heads", keyValueHeads(moe), keyValueHeads(dense)],
    ["FFN width", moe.moe?.ffn.hiddenSize, dense.dense?.hiddenSize],
    ["vocabulary", moe.vocabSize, dense.vocabSize],
  ]);
  return sizes.length === 0
    ? []
    : [`The dense model's weights cannot all be copied as they are: ${sizes.join(", ")}.`];
}

type Size = [what: string, ofMoe: number | undefined, ofDense: number | undefined];

function unlike(sizes: readonly Size[]): string[] {
  return sizes
    .filter(([, ofMoe, ofDense]) => ofMoe !== ofDense)
    .map(([what, ofMoe, ofDense]) => `${what} ${ofDense} where the MoE model has ${ofMoe}`);
}

/** Latent attention has none of its own. */
function keyValueHeads({ attention }: ModelShape): number {
  return attention.kind === "gqa" ? attention.kvHeads : attention.heads;
}
