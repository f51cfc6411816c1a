import { dirname, resolve } from "node:path";
import { MoestroError } from "../errors.ts";
import { importHuggingFaceConfig, UnsupportedConfigError } from "./hugging-face.ts";
import { isMapping } from "./mapping.ts";
import { isPresetName, type KnownModel, PRESETS } from "./presets.ts";
import type { Problem } from "./problems.ts";
import { readTextFile } from "./read-text.ts";

type Mapping = Record<string, unknown>;

/**
 * Puts what `model.preset` or `model.config` says under what the person wrote,
 * before anything is validated. What cannot be looked up is left for the
 * schema to complain about, or returned as a problem.
 */
export async function mergeKnownModel(
  raw: unknown,
  jobPath: string,
): Promise<{ raw: unknown; problems: Problem[] }> {
  if (!isMapping(raw) || !isMapping(raw.model)) return { raw, problems: [] };
  const { preset, config } = raw.model;
  if (preset !== undefined && config !== undefined) {
    const message = "is given beside model.preset; keep one of the two";
    return { raw, problems: [{ path: ["model", "config"], message }] };
  }
  if (isPresetName(preset)) return { raw: merge(raw, raw.model, PRESETS[preset]), problems: [] };
  if (typeof config !== "string" || config === "") return { raw, problems: [] };
  try {
    const known = await readConfig(resolve(dirname(jobPath), config), config);
    return { raw: merge(raw, raw.model, known), problems: [] };
  } catch (error) {
    if (!(error instanceof MoestroError)) throw error;
    // Nothing else about the model can be judged without the file.
    const problems = error.lines.map((message) => ({ path: ["model", "config"], message }));
    return { raw, problems };
  }
}

async function readConfig(path: string, shownName: string): Promise<KnownModel> {
  const text = await readTextFile(path, shownName);
  try {
    return importHuggingFaceConfig(JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError) {
      const what = error.message.split("\n")[0];
      throw new MoestroError(
        "invalid_input",
        `${shownName}: is not valid JSON (${what}); correct it`,
      );
    }
    if (!(error instanceof UnsupportedConfigError)) throw error;
    throw new MoestroError("invalid_input", `${shownName}: ${error.message}`);
  }
}

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
