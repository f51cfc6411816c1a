import { dirname, resolve } from "node:path";
import { precisionAndSharding, resolveCluster, resolveLayout } from "./planning-defaults.ts";
import type { Problem } from "./problems.ts";
import type { Job, JobDocument, Model } from "./schema.ts";
import { REQUIRED_MODEL_KEYS } from "./sections/model.ts";

/**
 * Fills in the defaults that depend on other fields and makes paths absolute.
 * Returns what is missing instead, if anything is.
 */
export function resolveJob(document: JobDocument, jobPath: string): Job | Problem[] {
  const missing = missingFields(document);
  const { model, moe, training, data } = document;
  const { experts } = moe;
  const topK = topKOf(moe);
  if (missing.length > 0 || experts === undefined || topK === undefined) return missing;
  return {
    ...document,
    model: resolveModel(model, jobPath),
    layout: resolveLayout(document),
    cluster: absolutePaths(resolveCluster(document.cluster), jobPath),
    moe: { ...moe, experts, topK },
    data: absoluteSources(data, jobPath),
    training: {
      ...training,
      ...precisionAndSharding(document),
      minLearningRate: training.minLearningRate ?? training.learningRate / 10,
    },
  };
}

function missingFields({ model, moe, data }: JobDocument): Problem[] {
  const problems: Problem[] = [];
  const absent = REQUIRED_MODEL_KEYS.filter((key) => model[key] === undefined);
  if (absent.length === REQUIRED_MODEL_KEYS.length) {
    problems.push({
      path: ["model"],
      message: `says no size; give preset, config, or ${REQUIRED_MODEL_KEYS.join(", ")}`,
    });
  } else {
    for (const key of absent) {
      problems.push({
        path: ["model", key],
        message: "is missing; add it, or give model.preset or model.config",
      });
    }
  }
  for (const key of ["experts", "topK"] as const) {
    if ((key === "topK" ? topKOf(moe) : moe.experts) !== undefined) continue;
    problems.push({
      path: ["moe", key],
      message: "is missing; add it, or give model.preset or model.config",
    });
  }
  const given = (["source", "path", "sources"] as const).filter((key) => data[key] !== undefined);
  if (given.length !== 1) {
    problems.push({
      path: ["data"],
      message:
        "must have one of source: python-standard-library, path: a file or folder of text or a .bin of tokens, or sources: a list of paths and weights",
    });
  }
  return problems;
}

/** A dense model routes nothing, so it need not say so twice. */
function topKOf({ experts, topK }: JobDocument["moe"]): number | undefined {
  return experts === 0 ? 0 : topK;
}

function absoluteSources(data: JobDocument["data"], jobPath: string): JobDocument["data"] {
  const { path, sources } = data;
  const absolute = (relative: string) => resolve(dirname(jobPath), relative);
  return {
    ...data,
    ...(path === undefined ? {} : { path: absolute(path) }),
    ...(sources === undefined
      ? {}
      : { sources: sources.map((source) => ({ ...source, path: absolute(source.path) })) }),
  };
}

function absolutePaths(cluster: Job["cluster"], jobPath: string): Job["cluster"] {
  const { file, profile } = cluster;
  const absolute = (path: string) => resolve(dirname(jobPath), path);
  return {
    ...cluster,
    ...(file === undefined ? {} : { file: absolute(file) }),
    ...(profile === undefined ? {} : { profile: absolute(profile) }),
  };
}

/** Only called once nothing is missing. */
function resolveModel(model: JobDocument["model"], jobPath: string): Model {
  const { preset: _preset, config: _config, weights, ...sizes } = model;
  const { layers = 0, hiddenSize = 0, heads = 1, ffnHiddenSize = 0, vocabSize = 0 } = sizes;
  const latent = sizes.latentAttention;
  // Latent attention has its own widths, and a key and value for every query.
  const headDim =
    latent === undefined
      ? (sizes.headDim ?? hiddenSize / heads)
      : latent.qkNopeHeadDim + latent.qkRopeHeadDim;
  const kvHeads = latent === undefined ? (sizes.kvHeads ?? heads) : heads;
  const start = weights === undefined ? {} : { weights: resolve(dirname(jobPath), weights) };
  const whole = { ...sizes, layers, hiddenSize, heads, ffnHiddenSize, vocabSize };
  return { ...whole, headDim, kvHeads, ...start };
}
