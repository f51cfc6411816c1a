import {
  type DataConfig,
  type EngineJob,
  GateFunction,
  type MoeConfig,
} from "../../proto/gen/moestro/v1/job_pb.js";
import { MoestroError } from "../errors.ts";
import type { CheckpointLedger, CommittedCheckpoint } from "./ledger.ts";
import type { Manifest } from "./manifest.ts";

/** What a person is told of a resume that goes on all the same, and the kind of event it is. */
export type ResumeNote = {
  kind: "checkpoint.damaged" | "checkpoint.biases-dropped";
  message: string;
};

/**
 * The checkpoint a run continues from: the newest unharmed one, if it is of
 * this job's model and data order and has steps left. Undefined if the run
 * never committed one. `note` is told of checkpoints that are damaged, and of
 * biases that the job has no use for.
 */
export async function checkpointToResume(
  ledger: CheckpointLedger,
  job: EngineJob,
  note: (note: ResumeNote) => void,
): Promise<CommittedCheckpoint | undefined> {
  const damages: string[] = [];
  const checkpoint = await ledger.newest((directory, why) => damages.push(`${directory}: ${why}`));
  if (!checkpoint) return undefined;
  for (const damage of damages) {
    const message = `${damage}; using the checkpoint of step ${checkpoint.manifest.step} before it`;
    note({ kind: "checkpoint.damaged", message });
  }
  refuseMismatch(checkpoint, job);
  if (checkpoint.manifest.job.moe?.selectionBias && !job.moe?.selectionBias) {
    const message = `${checkpoint.directory}: was trained with moe.balancing: bias, the job file says otherwise, so its biases are dropped and tokens choose experts without them; set moe.balancing back to bias to keep them`;
    note({ kind: "checkpoint.biases-dropped", message });
  }
  return checkpoint;
}

/** Throws MoestroError("invalid_input") if the job cannot go on from the checkpoint. */
export function refuseMismatch({ directory, manifest }: CommittedCheckpoint, job: EngineJob): void {
  const why = mismatch(manifest, job);
  if (why) throw new MoestroError("invalid_input", `${directory}: ${why}`);
}

type Setting = [name: string, before: unknown, now: unknown];

/** Why the job cannot go on from the checkpoint; undefined if it can. */
function mismatch(manifest: Manifest, job: EngineJob): string | undefined {
  const others = modelSettings(manifest.job, job).filter(isChanged);
  if (others.length > 0) {
    const told = others.map(
      ([name, before, now]) => `${name} was ${before}, the job file says ${now}`,
    );
    return `was written by another model: ${told.join("; ")}; resume with the job file it was started with, or start a new run`;
  }
  const changed = orderSettings(manifest.job, job).find(isChanged);
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

function isChanged([, before, now]: Setting): boolean {
  return before !== now;
}

/** What decides which function the weights are of. */
function modelSettings(before: EngineJob, now: EngineJob): Setting[] {
  const [model, moe] = [before.model, before.moe];
  const [nowModel, nowMoe] = [now.model, now.moe];
  return [
    ["model.layers", model?.numLayers, nowModel?.numLayers],
    ["model.hiddenSize", model?.hiddenSize, nowModel?.hiddenSize],
    ["model.heads", model?.numHeads, nowModel?.numHeads],
    ["model.kvHeads", model?.numKvHeads, nowModel?.numKvHeads],
    ["model.headDim", model?.headDim, nowModel?.headDim],
    ["model.ffnHiddenSize", model?.ffnHiddenSize, nowModel?.ffnHiddenSize],
    ["model.vocabSize", model?.vocabSize, nowModel?.vocabSize],
    ["model.ropeTheta", model?.ropeTheta, nowModel?.ropeTheta],
    ["model.rmsNormEps", model?.rmsNormEpsilon, nowModel?.rmsNormEpsilon],
    ["model.tiedEmbeddings", model?.tiedEmbeddings, nowModel?.tiedEmbeddings],
    ["the dense layers", String(model?.denseLayers), String(nowModel?.denseLayers)],
    ["model.denseFfnHiddenSize", model?.denseFfnHiddenSize, nowModel?.denseFfnHiddenSize],
    ["model.sharedFfnHiddenSize", model?.sharedFfnHiddenSize, nowModel?.sharedFfnHiddenSize],
    ["model.sharedExpertGate", model?.sharedExpertGate, nowModel?.sharedExpertGate],
    ["model.routerBias", !moe?.gateWithoutBias, !nowMoe?.gateWithoutBias],
    ["moe.experts", moe?.numExperts, nowMoe?.numExperts],
    ["moe.topK", moe?.topK, nowMoe?.topK],
    ["moe.gateFunction", gateOf(moe), gateOf(nowMoe)],
    ["moe.gateNormalization", normalizationOf(moe), normalizationOf(nowMoe)],
    ["moe.renormalize", !moe?.withoutRenormalization, !nowMoe?.withoutRenormalization],
  ];
}

/** What decides the order of the data. */
function orderSettings({ training, data }: EngineJob, now: EngineJob): Setting[] {
  return [
    ["training.globalBatchSize", training?.globalBatchSize, now.training?.globalBatchSize],
    ["training.sequenceLength", training?.sequenceLength, now.training?.sequenceLength],
    ["training.seed", training?.seed, now.training?.seed],
    ["data", source(data), source(now.data)],
  ];
}

/** Checkpoints from before there was a choice do not say which. */
function gateOf(moe: MoeConfig | undefined): string {
  return moe?.gateFunction === GateFunction.SIGMOID ? "sigmoid" : "softmax";
}

/** As the job file says it. */
function normalizationOf(moe: MoeConfig | undefined): number | false {
  return moe?.gateNormalization || false;
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
