import type { PartParameters } from "../cost/workload.ts";
import { cachedTable } from "../schedule/cached-table.ts";
import { makespanOf } from "../schedule/event-simulator.ts";
import type { StageCosts } from "../schedule/stage-costs.ts";
import { rankOf, type ScheduleTable } from "../schedule/table.ts";
import type { Candidate, PartCost } from "./candidate.ts";
import type { ModelPart, ModelParts } from "./model-parts.ts";
import { overheadMs } from "./overhead.ts";
import type { Solved } from "./solve-candidate.ts";

/** `StageCosts` with nothing left out. */
type FullStageCosts = { [Name in keyof StageCosts]-?: number };

/** What of a solved candidate says how its stages run. */
export type Staged = Pick<Solved, "candidate" | "parts" | "schedule" | "stages">;

/** The order of passes of a solved candidate. */
export function tableOfSolved({ candidate, schedule }: Staged): ScheduleTable {
  const { pipelineParallel, virtualPipeline } = candidate.placement;
  return cachedTable({
    // Without a pipeline all schedules are this one.
    schedule: pipelineParallel === 1 ? "1f1b" : schedule,
    numRanks: pipelineParallel,
    numMicroBatches: candidate.numMicroBatches,
    chunksPerRank: virtualPipeline,
  });
}

/** What each stage costs for one micro-batch, first to last. */
export function stageCosts({ candidate, parts, stages }: Staged): FullStageCosts[] {
  return stages.map(({ from, to, recompute }) => {
    const sum = {
      forwardMs: 0,
      inputGradMs: 0,
      weightGradMs: 0,
      recomputeMs: 0,
      forwardCommunicationMs: 0,
      backwardCommunicationMs: 0,
      staticBytes: 0,
      activationBytes: 0,
      workspaceBytes: 0,
    };
    for (let index = from; index < to; index++) {
      const cost = costOf(candidate, parts, index);
      const kind = recompute[index - from] ?? "none";
      const extraMs = cost.recomputeMs[kind];
      const sentBack = cost.backwardCommunicationMs;
      sum.forwardMs += cost.forwardMs - cost.forwardCommunicationMs;
      sum.inputGradMs += cost.backwardMs - cost.weightGradMs - sentBack + extraMs;
      sum.weightGradMs += cost.weightGradMs;
      sum.recomputeMs += extraMs;
      sum.forwardCommunicationMs += cost.forwardCommunicationMs;
      sum.backwardCommunicationMs += sentBack;
      sum.staticBytes += cost.staticBytes;
      sum.activationBytes += cost.activationBytes[kind];
      sum.workspaceBytes = Math.max(sum.workspaceBytes, cost.workspaceBytes[kind]);
    }
    return { ...sum, weightGradBytes: sum.activationBytes };
  });
}

/** The cost of one part. */
export function costOf(candidate: Candidate, { parts }: ModelParts, index: number): PartCost {
  return candidate.classCosts[(parts[index] as ModelPart).class] as PartCost;
}

/** Milliseconds of a step: the pipeline, and what follows it. */
export function stepMs(staged: Staged): number {
  const p2pMs = staged.candidate.p2pMs;
  const pipelineMs = makespanOf(tableOfSolved(staged), stageCosts(staged), { p2pMs });
  return pipelineMs + largestOverheadMs(staged);
}

/** What the rank with most to do once a step does behind its last micro-batch. */
export function largestOverheadMs(staged: Staged): number {
  const { candidate, parts, schedule, stages } = staged;
  const numRanks = candidate.placement.pipelineParallel;
  const sums = Array.from({ length: numRanks }, (): PartParameters => ({ dense: 0, expert: 0 }));
  for (const [stage, { from, to }] of stages.entries()) {
    const sum = sums[rankOf(schedule, numRanks, stage)] as PartParameters;
    for (let index = from; index < to; index++) {
      const { parameters } = costOf(candidate, parts, index);
      sum.dense += parameters.dense;
      sum.expert += parameters.expert;
    }
  }
  return Math.max(...sums.map((sum) => overheadMs(candidate.workload, candidate.placement, sum)));
}
