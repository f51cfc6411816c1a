import type { JobFile } from "./load-job.ts";
import { isLocal } from "./planning-defaults.ts";
import { type JobPath, type Problem, problemsToError } from "./problems.ts";
import type { Job } from "./schema.ts";

const REMEDY = "moestro plan takes it, but moestro train does not";

/**
 * What of a job can be planned but not trained, for its model or for where and in
 * what precision it runs; layouts are layout/engine-capabilities.ts's. The first such
 * thing, or nothing.
 */
export function whyEngineCannotTrain(job: Job): Problem | undefined {
  return [whyEngineCannotModel(job), whyNotHere(job)].find((problem) => problem !== undefined);
}

/** @throws MoestroError `invalid_input`, one line, if the engine cannot train the job */
export function refuseUntrainable({ job, source }: JobFile): void {
  const problem = whyEngineCannotTrain(job);
  if (problem !== undefined) throw problemsToError([problem], source);
}

/** What of a model the engine does not have, whatever else a job says. */
export function whyEngineCannotModel({
  model,
  moe,
}: Pick<Job, "model" | "moe">): Problem | undefined {
  const unlike: [name: keyof Job["model"], isUnlike: boolean, what: string][] = [
    ["latentAttention", model.latentAttention !== undefined, "multi-head latent attention"],
    ["qkvBias", model.qkvBias === true, "biases in attention"],
    ["attentionOutBias", model.attentionOutBias === true, "biases in attention"],
    ["qkNorm", model.qkNorm === true, "norms over query and key heads"],
    ["attentionSinks", model.attentionSinks === true, "attention sinks"],
    ["slidingWindow", model.slidingWindow !== undefined, "sliding-window attention"],
    ["gatedFfn", model.gatedFfn === false, "FFNs without a gate"],
    ["ffnBias", model.ffnBias === true, "biases in FFNs"],
    ["normsPerLayer", (model.normsPerLayer ?? 2) !== 2, "other than 2 norms a layer"],
    ["normBias", model.normBias === true, "biases in norms"],
    ["learnedPositions", (model.learnedPositions ?? 0) > 0, "a learned position table"],
    ["mtpLayers", (model.mtpLayers ?? 0) > 0, "multi-token-prediction layers"],
  ];
  if (moe.experts === 0) return refuse(["moe", "experts"], "0 makes a dense model");
  const first = unlike.find(([, isUnlike]) => isUnlike);
  return first === undefined ? undefined : refuse(["model", first[0]], `the model has ${first[2]}`);
}

function whyNotHere({ cluster, training }: Job): Problem | undefined {
  if (!isLocal(cluster)) return refuse(["cluster"], "describes a cluster to plan for");
  if (training.precision === "fp8") {
    return refuse(["training", "precision"], "fp8, where the engine runs fp32 or bf16");
  }
  return undefined;
}

function refuse(path: JobPath, what: string): Problem {
  return { path, message: `${what}: ${REMEDY}` };
}
