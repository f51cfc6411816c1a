import { equals } from "@bufbuild/protobuf";
import { type EngineJob, ModelConfigSchema } from "../../proto/gen/moestro/v1/job_pb.js";
import { MoestroError } from "../errors.ts";
import type { CheckpointLedger, CommittedCheckpoint, Manifest } from "./ledger.ts";

/**
 * The checkpoint a run continues from: the newest unharmed one, if it is of
 * this job's model and has steps left. Undefined if the run never committed
 * one. `note` is told of checkpoints that are damaged.
 */
export async function checkpointToResume(
  ledger: CheckpointLedger,
  job: EngineJob,
  note: (message: string) => void,
): Promise<CommittedCheckpoint | undefined> {
  const checkpoint = await ledger.newest((directory, why) =>
    note(`${directory}: ${why}; using the checkpoint before it`),
  );
  if (!checkpoint) return undefined;
  const why = mismatch(checkpoint.manifest, job);
  if (why) throw new MoestroError("invalid_input", `${checkpoint.directory}: ${why}`);
  return checkpoint;
}

function mismatch(manifest: Manifest, job: EngineJob): string | undefined {
  if (!job.model || !equals(ModelConfigSchema, manifest.model, job.model)) {
    return "was written by another model than the job file describes; resume with the job file it was started with, or start a new run";
  }
  if (!job.moe || manifest.moe.numExperts !== job.moe.numExperts) {
    return `was written by a model with ${manifest.moe.numExperts} experts; set moe.experts to that, or start a new run`;
  }
  const steps = job.training?.steps ?? 0n;
  if (BigInt(manifest.step) >= steps) {
    return `is of step ${manifest.step} and the job has ${steps} steps: nothing is left to train; raise training.steps to go on`;
  }
  return undefined;
}
