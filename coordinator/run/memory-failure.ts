import type { RankExited } from "../../proto/gen/moestro/v1/agent_pb.js";
import type { Plan } from "../../proto/gen/moestro/v1/plan_pb.js";

/** How torch says it on a GPU and on the CPU. */
const OUT_OF_MEMORY = /out of memory|can't allocate memory/i;

/**
 * What the plan had predicted for the stage of a rank that memory ended, or may have:
 * Linux ends what takes too much with SIGKILL, and says so to nobody but its log.
 * Empty for other ends, and where the engine has said it itself: that is a user error
 * with the prediction and a remedy. Begins where a sentence goes on.
 */
export function memoryNote(exit: RankExited, plan: Plan): string {
  const isKilled = exit.signal === "SIGKILL";
  if (!isKilled && !isUnexplained(exit)) return "";
  const pipelineRank = pipelineRankOf(exit.rank, plan);
  const bytes = plan.prediction?.memoryBytes[pipelineRank];
  const stages = stagesOf(pipelineRank, plan);
  const cause = isKilled ? ", perhaps by the system because memory ran out" : "";
  const predicted =
    bytes === undefined
      ? `its ${stages} had no prediction of memory`
      : `a peak of ${(bytes / 1e9).toFixed(2)} GB was predicted for its ${stages}`;
  return `${cause}; ${predicted}; lower training.microBatchSize or give cluster.memoryLimit for the planner to keep to`;
}

/** Memory that ran out where the engine does not expect it. */
function isUnexplained({ failure }: RankExited): boolean {
  return failure !== undefined && !failure.userError && OUT_OF_MEMORY.test(failure.message);
}

/** Pipeline is the slowest axis of ranks. */
function pipelineRankOf(rank: number, { layout, worldSize }: Plan): number {
  return Math.floor(rank / (worldSize / (layout?.pipelineParallel ?? 1)));
}

/** `stage 1`, or `stages 1 and 3` of a rank with several chunks. */
function stagesOf(pipelineRank: number, plan: Plan): string {
  const indices = plan.stages
    .filter((stage) => stage.pipelineRank === pipelineRank)
    .map(({ index }) => index);
  return indices.length === 1 ? `stage ${indices[0]}` : `stages ${indices.join(" and ")}`;
}
