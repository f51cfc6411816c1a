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
export type AdviceRule = "no-dense-checkpoint" | "much-less" | "between" | "at-least-twice";

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

const LEARNING_RATE: Record<AdviceRule, string> = {
  "no-dense-checkpoint": "Take the schedule of a new run: warm-up to the peak, then decay.",
  "much-less":
    "Tune the schedule here too: try the dense run's final rate held constant against one re-warmed to about 3 times that, and watch how alike the experts stay.",
  between:
    "Tune the schedule, it decides: re-warm to about 3 times the final rate, or start at an earlier checkpoint; experts that continue at a constant low rate stay alike (similarity 0.23, against 0.15 and 0.08; from scratch 0.00).",
  "at-least-twice": "Take the schedule of a new run: warm-up to the peak, then decay.",
};

/**
 * Upcycle a dense model or train from scratch: by the FLOPs that training the MoE
 * model will take, C_MoE, against those sunk in the dense one, C_dense.
 */
export function advise({ moe, dense, sequenceLength }: AdviceInput): Advice {
  const cost = trainingCost(moe, sequenceLength);
  const sunk = dense === null ? null : trainingCost(dense, sequenceLength);
  const ratio = sunk === null ? null : cost.flops / sunk.flops;
  const rule = ruleFor(ratio);
  const decision = rule === "much-less" || rule === "between" ? "upcycle" : "scratch";
  return {
    decision,
    rule,
    reason: reasonFor(rule, ratio),
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

function reasonFor(rule: AdviceRule, ratio: number | null): string {
  const share = `C_MoE is ${ratio?.toPrecision(3)} of C_dense`;
  switch (rule) {
    case "no-dense-checkpoint":
      return "There is no dense checkpoint to upcycle, so the model is trained from scratch.";
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

/** Copying needs the same widths; layers and vocabulary can be cut or grown. */
function mismatches(moe: ModelShape, dense: ModelShape): string[] {
  const widths: [what: string, ofMoe: number | undefined, ofDense: number | undefined][] = [
    ["hidden size", moe.hiddenSize, dense.hiddenSize],
    ["layers", moe.layers.length, dense.layers.length],
    ["attention heads", moe.attention.heads, dense.attention.heads],
    ["FFN width", moe.moe?.ffn.hiddenSize, dense.dense?.hiddenSize ?? dense.moe?.ffn.hiddenSize],
    ["vocabulary", moe.vocabSize, dense.vocabSize],
  ];
  const unlike = widths
    .filter(([, ofMoe, ofDense]) => ofMoe !== ofDense)
    .map(([what, ofMoe, ofDense]) => `${what} ${ofDense} where the MoE model has ${ofMoe}`);
  const warnings =
    unlike.length === 0
      ? []
      : [`The dense model's weights cannot all be copied as they are: ${unlike.join(", ")}.`];
  if (dense.moe !== undefined) warnings.push("The model to start from is an MoE model itself.");
  return warnings;
}
