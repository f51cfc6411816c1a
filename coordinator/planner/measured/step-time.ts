import { ringMs } from "../cost/time/exchange.ts";
import { TIME_FACTORS, type TimeFactors } from "../cost/time/factors.ts";
import { hopMs, partTime } from "../cost/time/part-time.ts";
import { ratesOf } from "../cost/time/rates.ts";
import { stepOverhead } from "../cost/time/step-overhead.ts";
import { straggleOf } from "../cost/time/straggle.ts";
import type { PartKind, PartParameters, PartTime, Placement, Workload } from "../cost/workload.ts";
import { partParameters } from "../model/count-parameters.ts";
import { evenSplit } from "./even-split.ts";

/** How a published run was scheduled, and what it recomputed. */
export interface Schedule {
  name: "1f1b" | "interleaved" | "dualpipe";
  /** Layers of each stage, and how many of them recompute what; even and nothing when absent. */
  layersPerStage?: readonly number[] | undefined;
  /** The stage that holds the head; the last when absent. */
  headStage?: number | undefined;
  /** What a defect adds to every message between stages, one after the other on a rank. */
  messageStallMs?: number | undefined;
  /** Share of the layers of every stage that recomputes. */
  recompute?: { kind: "selective" | "full"; share: readonly number[] } | undefined;
}

export interface StepPrediction {
  stepTimeMs: number;
  tokensPerSecondPerGpu: number;
  /** Of the slowest stage, one micro-batch. */
  microBatchMs: number;
  bubbleMs: number;
  overheadMs: number;
}

interface StageTime {
  forward: number;
  backward: number;
  parameters: PartParameters;
}

/** One optimizer step of a given run: no choice is made here, the framework's habits are followed. */
export function predictStep(
  workload: Workload,
  placement: Placement,
  numMicroBatches: number,
  schedule: Schedule,
  factors: TimeFactors = TIME_FACTORS,
): StepPrediction {
  const stages = stageTimes(workload, placement, schedule, factors);
  const hop = hopMs(workload, placement, factors);
  const slowest = Math.max(...stages.map(({ forward, backward }) => forward + backward));
  const pipelineMs = {
    "1f1b": oneForwardOneBackwardMs,
    interleaved: interleavedMs,
    dualpipe: dualPipeMs,
  }[schedule.name](stages, numMicroBatches, hop, placement.virtualPipeline);
  const overheadMs = Math.max(
    ...stages.map(({ parameters }) => {
      const end = stepOverhead(workload, placement, parameters, factors);
      return end.gradientReduceMs + end.parameterGatherMs + end.optimizerMs + end.otherMs;
    }),
  );
  const gpus =
    placement.tensorParallel *
    placement.contextParallel *
    placement.pipelineParallel *
    placement.dataParallel;
  const stallMs = (schedule.messageStallMs ?? 0) * blockingMessages(stages.length, numMicroBatches);
  const stepTimeMs = pipelineMs * straggleOf(gpus, factors) + overheadMs + stallMs;
  const tokens = workload.globalBatchSize * workload.sequenceLength;
  return {
    stepTimeMs,
    tokensPerSecondPerGpu: (tokens / gpus / stepTimeMs) * 1000,
    microBatchMs: slowest,
    bubbleMs: pipelineMs - numMicroBatches * slowest,
    overheadMs,
  };
}

/**
 * The bound of the partition solver (docs/planner.md), which 1F1B reaches but
 * for hops: those delay the fill and stretch every micro-batch by 2c(p − 1)/p.
 */
function oneForwardOneBackwardMs(stages: readonly StageTime[], m: number, hop: number): number {
  const p = stages.length;
  let before = 0;
  let behind = stages.reduce((sum, { forward, backward }) => sum + forward + backward, 0);
  let worst = behind;
  for (const [i, { forward, backward }] of stages.entries()) {
    const t = forward + backward;
    behind -= t;
    const w = Math.min(m, p - i - 1);
    const slackF = behind - Math.min(w, m - 1) * forward;
    const slackB = behind - Math.min(w, m - 1) * backward;
    const tail =
      m >= w + 2 ? Math.max(0, slackF) + Math.max(0, slackB) : Math.max(0, slackF, slackB);
    worst = Math.max(worst, before + m * t + tail);
    before += t;
  }
  return worst + 2 * hop * (p - 1) + ((m - 1) * 2 * hop * (p - 1)) / p;
}

/**
 * Messages that wait for one another in 1F1B when each blocks its ranks: those of
 * the fill and the drain, and of every further micro-batch those of an inner rank.
 */
function blockingMessages(p: number, m: number): number {
  return 2 * (p - 1) + (m - 1) * Math.min(4, 2 * (p - 1));
}

/** Interleaving cuts the fill and the drain by the chunks of a rank; hops ride behind other chunks. */
function interleavedMs(stages: readonly StageTime[], m: number, hop: number, v: number): number {
  const p = stages.length;
  const times = stages.map(({ forward, backward }) => forward + backward);
  const mean = times.reduce((sum, t) => sum + t, 0) / p;
  return m * Math.max(...times) + ((p - 1) * mean) / v + 2 * hop * (p - 1);
}

/** DualPipe: both directions fill from both ends, (p/2 − 1)(F&B + B − 3W) idle (DeepSeek-V3, Table 2). */
function dualPipeMs(stages: readonly StageTime[], m: number, hop: number): number {
  const p = stages.length;
  const forward = stages.reduce((sum, stage) => sum + stage.forward, 0) / p;
  const backward = stages.reduce((sum, stage) => sum + stage.backward, 0) / p;
  const weight = backward / 3;
  const both = forward + backward;
  return m * both + (p / 2 - 1) * (both + backward - 3 * weight) + 2 * hop * (p - 1);
}

function stageTimes(
  workload: Workload,
  placement: Placement,
  schedule: Schedule,
  factors: TimeFactors,
): StageTime[] {
  const { model } = workload;
  const cache = new Map<PartKind, [PartTime, PartParameters]>();
  const cost = (kind: PartKind) => {
    let found = cache.get(kind);
    if (found === undefined) {
      found = [
        partTime(workload, placement, kind, factors),
        partParameters(model, kind, placement),
      ];
      cache.set(kind, found);
    }
    return found;
  };
  const split =
    schedule.layersPerStage ??
    evenSplit(
      model.layers.length,
      placement.pipelineParallel,
      schedule.name === "dualpipe" ? 2 : placement.virtualPipeline,
      model.mtpLayers,
    );
  let first = 0;
  return split.map((count, index) => {
    const stage: StageTime = { forward: 0, backward: 0, parameters: { dense: 0, expert: 0 } };
    const again = schedule.recompute?.share[index] ?? 0;
    const addPart = (kind: PartKind, times: number) => {
      const [time, parameters] = cost(kind);
      const repeated =
        schedule.recompute === undefined ? 0 : time.recomputeMs[schedule.recompute.kind];
      stage.forward += times * hidden(time.forwardMs, time.forwardCommunicationMs, schedule);
      stage.backward +=
        times *
        (hidden(time.backwardMs, time.backwardCommunicationMs, schedule) + again * repeated);
      stage.parameters.dense += times * parameters.dense;
      stage.parameters.expert += times * parameters.expert;
    };
    const last = first + count;
    let numMoe = 0;
    for (let l = Math.floor(first); l < Math.round(last); l++) {
      if (model.layers[l]?.kind === "moe") numMoe++;
    }
    const whole = Math.max(1, Math.round(last) - Math.floor(first));
    const moe = (numMoe / whole) * count;
    if (moe > 0) addPart("moe", moe);
    if (count - moe > 0) addPart("dense", count - moe);
    if (index === 0) addPart("embedding", 1);
    if (index === (schedule.headStage ?? split.length - 1)) {
      addPart("head", 1);
      if (model.mtpLayers > 0) addPart("mtp", model.mtpLayers);
    }
    if (workload.optimizerSharding === "fsdp") gatherWeights(stage, workload, placement, factors);
    first = last;
    return stage;
  });
}

/** DualPipe gives 20 of 132 multiprocessors to communication (DeepSeek-V3, section 3.2.2). */
const DUALPIPE_SLOWDOWN = 132 / 112;

/** DualPipe runs one micro-batch's communication behind another's arithmetic. */
function hidden(totalMs: number, communicationMs: number, { name }: Schedule): number {
  if (name !== "dualpipe") return totalMs;
  return Math.max((totalMs - communicationMs) * DUALPIPE_SLOWDOWN, communicationMs);
}

/** FSDP gathers every weight forward and backward and scatters its gradient, each micro-batch. */
function gatherWeights(
  stage: StageTime,
  workload: Workload,
  placement: Placement,
  factors: TimeFactors,
): void {
  const rates = ratesOf(workload, placement, factors);
  const { dense, expert } = stage.parameters;
  const ring = (bytes: number) =>
    ringMs(
      rates,
      placement.dataParallel * placement.contextParallel,
      placement.tensorParallel,
      dense * bytes,
    ) +
    ringMs(
      rates,
      placement.expertDataParallel,
      placement.expertParallel * placement.expertTensorParallel,
      expert * bytes,
    );
  const gather = ring(rates.width);
  stage.forward = Math.max(stage.forward, gather);
  stage.backward = Math.max(stage.backward, gather + ring(rates.stack.gradientBytes));
}
