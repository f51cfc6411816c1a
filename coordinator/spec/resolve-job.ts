import { dirname, resolve } from "node:path";
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
  const { experts, topK } = moe;
  if (missing.length > 0 || experts === undefined || topK === undefined) return missing;
  const path = data.path === undefined ? {} : { path: resolve(dirname(jobPath), data.path) };
  return {
    ...document,
    model: resolveModel(model),
    moe: { ...moe, experts, topK },
    data: { ...data, ...path },
    training: {
      ...training,
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
    if (moe[key] !== undefined) continue;
    problems.push({
      path: ["moe", key],
      message: "is missing; add it, or give model.preset or model.config",
    });
  }
  if ((data.source === undefined) === (data.path === undefined)) {
    problems.push({
      path: ["data"],
      message: "must have either source: python-standard-library or path: a file or folder of text",
    });
  }
  return problems;
}

/** Only called once nothing is missing. */
function resolveModel(model: JobDocument["model"]): Model {
  const { preset: _preset, config: _config, ...sizes } = model;
  const { layers = 0, hiddenSize = 0, heads = 1, ffnHiddenSize = 0, vocabSize = 0 } = sizes;
  const headDim = sizes.headDim ?? hiddenSize / heads;
  const kvHeads = sizes.kvHeads ?? heads;
  return { ...sizes, layers, hiddenSize, heads, ffnHiddenSize, vocabSize, headDim, kvHeads };
}
