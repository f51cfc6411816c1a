import { equals } from "@bufbuild/protobuf";
import {
  type DataConfig,
  type EngineJob,
  ModelConfigSchema,
} from "../../proto/gen/moestro/v1/job_pb.js";
import { MoestroError } from "../errors.ts";
import type { CheckpointLedger, CommittedCheckpoint } from "./ledger.ts";
import type { Manifest } from "./manifest.ts";

/**
 * The checkpoint a run continues from: the newest unharmed one, if it is of
 * this job's model and data order and has steps left. Undefined if the run
 * never committed one. `note` is told of checkpoints that are damaged.
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

/** Why the job cannot go on from the checkpoint; undefined if it can. */
function mismatch(manifest: Manifest, job: EngineJob): string | undefined {
  const { model, moe, training } = manifest.job;
  if (!job.model || !model || !equals(ModelConfigSchema, model, job.model)) {
    return "was written by another model than the job file describes; resume with the job file it was started with, or start a new run";
  }
  // What decides the model's shape and the order of the data must not change.
  const fixed: [name: string, before: unknown, now: unknown][] = [
    ["moe.experts", moe?.numExperts, job.moe?.numExperts],
    ["moe.topK", moe?.topK, job.moe?.topK],
    ["model.routerBias", !moe?.gateWithoutBias, !job.moe?.gateWithoutBias],
    ["training.globalBatchSize", training?.globalBatchSize, job.training?.globalBatchSize],
    ["training.sequenceLength", training?.sequenceLength, job.training?.sequenceLength],
    ["training.seed", training?.seed, job.training?.seed],
    ["data", source(manifest.job.data), source(job.data)],
  ];
  const changed = fixed.find(([, before, now]) => before !== now);
  if (changed) {
    const [name, before, now] = changed;
    return `was trained with ${name} ${before}, the job file says ${now}; set it back, or start a new run`;
  }
  const steps = job.training?.steps ?? 0n;
  if (BigInt(manifest.step) >= steps) {
    return `is of step ${manifest.step} and the job has ${steps} steps: nothing is left to train; raise training.steps to go on`;
  }
  return undefined;
}

function source(data: DataConfig | undefined): string {
  const { source: from, validationFraction } = data ?? {};
  return `${nameOf(from)} (validationFraction ${validationFraction})`;
}

function nameOf(from: DataConfig["source"] | undefined): string {
  switch (from?.case) {
    case "textPath":
      return from.value;
    case "blend":
      return from.value.sources.map(({ path, weight }) => `${path} at ${weight}`).join(" + ");
    default:
      return "python-standard-library";
  }
}
