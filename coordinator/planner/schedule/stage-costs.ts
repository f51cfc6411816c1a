import type { ScheduleStage } from "./schedule-problem.ts";

/** What one stage (one model chunk) costs for one micro-batch, in milliseconds and bytes. */
export interface StageCosts {
  /** Computing of the forward. */
  forwardMs: number;
  /** Computing of the input's gradient, with recompute. */
  inputGradMs: number;
  weightGradMs: number;
  /** Kept from the forward until the backward ends. */
  activationBytes: number;
  /** Kept from I to W, where the backward is split; default: all activations. */
  weightGradBytes?: number | undefined;
  /** Weights, gradients, optimizer state. */
  staticBytes: number;
  /** Held while a B or I runs. */
  workspaceBytes?: number | undefined;
  /** The part of inputGradMs that recomputes. */
  recomputeMs?: number | undefined;
  /** Communication inside a pass, exposed unless a pass of the other direction runs with it. */
  forwardCommunicationMs?: number | undefined;
  backwardCommunicationMs?: number | undefined;
}

export interface SimulationOptions {
  /** Latency from a stage to its neighbour on another rank. */
  p2pMs?: number | undefined;
  /** After a rank's last pass: of every rank, or one entry a rank. */
  optimizerMs?: number | readonly number[] | undefined;
}

/** A stage of a plan, whose communication counts within its passes. */
type TimedStage = Omit<
  ScheduleStage,
  "rank" | "chunk" | "layers" | "recompute" | "inFlightMicroBatches"
>;

/** What a stage of a plan costs, as the simulator takes it. */
export function costsOfStage(stage: TimedStage): StageCosts {
  const { forwardCommunicationMs, backwardCommunicationMs, weightGradMs } = stage;
  return {
    forwardMs: stage.forwardMs - forwardCommunicationMs,
    inputGradMs: stage.backwardMs - weightGradMs - backwardCommunicationMs,
    weightGradMs,
    recomputeMs: stage.recomputeMs,
    forwardCommunicationMs,
    backwardCommunicationMs,
    staticBytes: stage.staticBytes,
    activationBytes: stage.activationBytes,
    workspaceBytes: stage.workspaceBytes,
  };
}
