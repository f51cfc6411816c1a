import { dirname, resolve } from "node:path";
import { MoestroError } from "../errors.ts";
import { importHuggingFaceConfig } from "./hugging-face.ts";
import { readConfigFile } from "./hugging-face-file.ts";
import { isMapping } from "./mapping.ts";
import { isPresetName, type KnownModel, PRESETS } from "./presets.ts";
import type { Problem } from "./problems.ts";
import { requireBelow } from "./read-text.ts";
import { readWeightsModel, unlikeWeights } from "./weights-model.ts";

type Mapping = Record<string, unknown>;

/**
 * Puts what `model.preset`, `model.config` or `model.weights` says under what the
 * person wrote, before anything is validated. What cannot be looked up is left for
 * the schema to complain about, or returned as a problem.
 *
 * @param within the folder that files must be below; everywhere if undefined
 */
export async function mergeKnownModel(
  raw: unknown,
  jobPath: string,
  within?: string,
): Promise<{ raw: unknown; problems: Problem[] }> {
  if (!isMapping(raw) || !isMapping(raw.model)) return { raw, problems: [] };
  const { model } = raw;
  const { preset, config, weights } = model;
  const [first, second] = ORIGINS.filter((key) => model[key] !== undefined);
  if (first !== undefined && second !== undefined) {
    const message = `is given beside model.${first}; keep one of the two`;
    return { raw, problems: [{ path: ["model", second], message }] };
  }
  if (isPresetName(preset)) return { raw: merge(raw, model, PRESETS[preset]), problems: [] };
  const origin = config === undefined ? "weights" : "config";
  const path = config ?? weights;
  if (typeof path !== "string" || path === "") return { raw, problems: [] };
  try {
    const absolute = resolve(dirname(jobPath), path);
    if (within !== undefined) await requireBelow(within, absolute, path);
    if (origin === "config") {
      const known = await readConfigFile(absolute, path, importHuggingFaceConfig);
      return { raw: merge(raw, model, known), problems: [] };
    }
    const known = readWeightsModel(absolute, path);
    return { raw: merge(raw, model, known), problems: unlikeWeights(known, model, raw.moe) };
  } catch (error) {
    if (!(error instanceof MoestroError)) throw error;
    // Nothing else about the model can be judged without the file.
    const problems = error.lines.map((message) => ({ path: ["model", origin], message }));
    return { raw, problems };
  }
}

/** Where a model's sizes may be looked up. */
const ORIGINS = ["preset", "config", "weights"] as const;

function merge(raw: Mapping, model: Mapping, known: KnownModel): Mapping {
  const merged: Mapping = { ...known.model, ...model };
  // A head's width follows the sizes it is derived from, unless it is given.
  const resized = model.hiddenSize !== undefined || model.heads !== undefined;
  if (resized && model.headDim === undefined) delete merged.headDim;
  if (model.heads !== undefined && model.kvHeads === undefined) delete merged.kvHeads;
  // An absent or malformed section is the schema's to judge.
  const moe = raw.moe === undefined ? {} : raw.moe;
  return { ...raw, model: merged, moe: isMapping(moe) ? { ...known.moe, ...moe } : moe };
}
