import { create } from "@bufbuild/protobuf";
import { StartRanksSchema } from "../../proto/gen/moestro/v1/agent_pb.js";
import type { EngineJob } from "../../proto/gen/moestro/v1/job_pb.js";
import type { Plan } from "../../proto/gen/moestro/v1/plan_pb.js";
import {
  CheckpointReferenceSchema,
  type Coefficients,
} from "../../proto/gen/moestro/v1/rank_pb.js";
import type { Placed } from "../store/store.ts";
import type { CommittedCheckpoint } from "./ledger.ts";

/** What the ranks of a generation are started with. */
export type RankStart = {
  job: EngineJob;
  plan: Plan;
  /** Agents and slots; ranks fill them in this order. */
  placed: readonly Placed[];
  restore: CommittedCheckpoint | undefined;
  /** Coefficients of the first steps. */
  coefficients: readonly Coefficients[];
  collectiveTimeoutMs: number;
  /** The interface ranks talk over, unless their agent names one; empty leaves it to torch. */
  networkInterface: string;
  logDirectory: string;
};

/** The ranks of one agent. */
export function ranksOf(placed: readonly Placed[], agentId: string): number[] {
  let next = 0;
  for (const { agentId: id, slots } of placed) {
    const first = next;
    next += slots.length;
    if (id === agentId) return slots.map((_, index) => first + index);
  }
  return [];
}

/** `rendezvousHost`: where rank 0 listens, an address of its node. */
export function startRanks(start: RankStart, agentId: string, rendezvousHost: string) {
  const { job, plan, placed, restore, coefficients, collectiveTimeoutMs } = start;
  const { networkInterface, logDirectory } = start;
  const reference = restore && {
    step: BigInt(restore.manifest.step),
    directory: restore.directory,
    files: restore.manifest.shards.files.map(({ name }) => name),
  };
  return create(StartRanksSchema, {
    ...{ job, plan, coefficients: [...coefficients] },
    ranks: ranksOf(placed, agentId),
    slots: [...(placed.find((one) => one.agentId === agentId)?.slots ?? [])],
    ...{ networkInterface, rendezvousHost, logDirectory },
    ...(reference ? { restore: create(CheckpointReferenceSchema, reference) } : {}),
    collectiveTimeoutMs: BigInt(collectiveTimeoutMs),
  });
}
