import { divisors } from "../planner/layout/sizes.ts";
import { clusterRules } from "./cluster-rules.ts";
import { modelKindRules } from "./model-kind-rules.ts";
import { joinAlternatives, type Problem } from "./problems.ts";
import type { Job } from "./schema.ts";

/** Rules between fields, layout apart. One problem each, all of them. */
export function checkRules(job: Job): Problem[] {
  return [
    ...modelRules(job),
    ...modelKindRules(job),
    ...trainingRules(job),
    ...moeRules(job),
    ...clusterRules(job),
  ];
}

function modelRules({ model }: Job): Problem[] {
  const { hiddenSize, heads, kvHeads, headDim } = model;
  const problems: Problem[] = [];
  if (model.latentAttention !== undefined) return problems;
  if (!Number.isInteger(headDim)) {
    problems.push({
      path: ["model", "heads"],
      message: `${heads} does not divide hiddenSize ${hiddenSize}; use ${nearestDivisors(hiddenSize, heads)}, or give headDim`,
    });
  } else if (headDim % 2 !== 0) {
    problems.push({
      path: ["model", "headDim"],
      message: `${headDim} is odd, but RoPE turns pairs of numbers; make headDim (hiddenSize / heads unless given) even`,
    });
  }
  if (heads % kvHeads !== 0) {
    problems.push({
      path: ["model", "kvHeads"],
      message: `${kvHeads} does not divide ${heads} attention heads; use ${nearestDivisors(heads, kvHeads)}`,
    });
  }
  return problems;
}

function trainingRules({ training, data }: Job): Problem[] {
  const { steps, warmupSteps, learningRate, minLearningRate } = training;
  const { globalBatchSize, microBatchSize } = training;
  const problems: Problem[] = [];
  if (warmupSteps > steps) {
    problems.push({
      path: ["training", "warmupSteps"],
      message: `${warmupSteps} is more than training.steps ${steps}; use at most ${steps}`,
    });
  }
  if (minLearningRate > learningRate) {
    problems.push({
      path: ["training", "minLearningRate"],
      message: `${minLearningRate} is above learningRate ${learningRate}; use at most ${learningRate}`,
    });
  }
  if (microBatchSize !== undefined && globalBatchSize % microBatchSize !== 0) {
    problems.push({
      path: ["training", "microBatchSize"],
      message: `${microBatchSize} does not divide globalBatchSize ${globalBatchSize}; use ${nearestDivisors(globalBatchSize, microBatchSize)}`,
    });
  }
  if (data.validationFraction === 0) {
    problems.push({
      path: ["data", "validationFraction"],
      message: "0 keeps no text for validation; use a number above 0 and below 1",
    });
  }
  return problems;
}

function moeRules({ moe }: Job): Problem[] {
  const problems: Problem[] = [];
  if (moe.experts === 0) return problems;
  if (moe.topK === 0) {
    problems.push({
      path: ["moe", "topK"],
      message: `0 sends tokens to none of ${moe.experts} experts; use at least 1, or moe.experts 0 for a dense model`,
    });
  }
  if (moe.topK > moe.experts) {
    problems.push({
      path: ["moe", "topK"],
      message: `${moe.topK} is more than moe.experts ${moe.experts}; use at most ${moe.experts}`,
    });
  }
  if (moe.capacityFactor === "dropless") {
    const remedy = "but capacityFactor is dropless; give it a number, or remove this";
    if (moe.dropPolicy === "position") {
      problems.push({
        path: ["moe", "dropPolicy"],
        message: `position needs a capacity, ${remedy}`,
      });
    }
    if (!moe.padding) {
      problems.push({ path: ["moe", "padding"], message: `false needs a capacity, ${remedy}` });
    }
  }
  if (moe.balancing === "bias" && moe.topK === moe.experts) {
    problems.push({
      path: ["moe", "balancing"],
      message: `bias changes which experts are chosen, but topK ${moe.topK} chooses all of them; use fixed or none`,
    });
  }
  if (moe.gateNormalization !== false && moe.gateNormalization > 0 && moe.experts < 2) {
    problems.push({
      path: ["moe", "gateNormalization"],
      message: "needs at least 2 experts, since one logit has no deviation; use false",
    });
  }
  return problems;
}

function nearestDivisors(total: number, wanted: number): string {
  const far = (other: number) => Math.abs(Math.log(other / wanted));
  const nearest = divisors(total).sort((a, b) => far(a) - far(b));
  return joinAlternatives(nearest.slice(0, 4).sort((a, b) => a - b));
}
