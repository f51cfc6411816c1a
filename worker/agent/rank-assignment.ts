import { create } from "@bufbuild/protobuf";
import type { StartRanks } from "../../proto/gen/moestro/v1/agent_pb.js";
import { type RankAssignment, RankAssignmentSchema } from "../../proto/gen/moestro/v1/rank_pb.js";
import type { GroupFence } from "./group-facts.ts";

export type AssignmentOptions = {
  fence: GroupFence;
  start: StartRanks;
  /** The interface ranks talk over; empty leaves it to torch. */
  networkInterface: string;
  /** Processor threads of a rank. */
  numThreads: number;
};

/** What one rank of a group needs to know. */
export function assignmentOf(
  rank: number,
  { fence, start, networkInterface, numThreads }: AssignmentOptions,
): RankAssignment {
  const { job, plan, restore, coefficients, collectiveTimeoutMs, rendezvousHost } = start;
  if (!job || !plan) throw new Error("the coordinator sent no job or no plan");
  const localRank = start.ranks.indexOf(rank);
  return create(RankAssignmentSchema, {
    ...{ runId: fence.runId, generation: fence.generation, rank, localRank, plan, job },
    ...{ coefficients, collectiveTimeoutMs, networkInterface, rendezvousHost },
    ...{ slot: start.slots[localRank] ?? localRank, numThreads },
    ...(restore ? { restore } : {}),
  });
}
