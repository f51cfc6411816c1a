import type { CheckpointShards } from "../../proto/gen/moestro/v1/report_pb.js";
import type { ControllerState } from "../controller/controller.ts";
import type { PreparedGeneration, RunContext } from "./prepare-generation.ts";

/** Makes what all ranks wrote of a step count, and removes the checkpoints it takes the place of. */
export function commitCheckpoint(
  { ledger, runId, job, journal }: RunContext,
  { engineJob, plan, number }: PreparedGeneration,
  shards: CheckpointShards,
  controller: ControllerState,
  sourceHash: string,
): void {
  const { layout } = plan;
  if (!layout) throw new Error("the plan lacks its layout");
  ledger.commit({
    ...{ runId, generation: number, shards, layout, sourceHash, job: engineJob },
    step: Number(shards.step),
    controller: { ...controller },
    committedAt: new Date().toISOString(),
  });
  try {
    ledger.prune(job.checkpoint.keep);
  } catch (error) {
    // Old checkpoints that stay cost space, not the run.
    const message = `old checkpoints could not be removed: ${(error as Error).message}`;
    journal.event("checkpoint.not-pruned", message);
  }
}
