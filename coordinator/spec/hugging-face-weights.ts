import { join } from "node:path";
import { whyEngineCannotModel } from "./engine-model.ts";
import { importHuggingFaceConfig, UnsupportedConfigError } from "./hugging-face.ts";
import { type Config, isGiven, section, size } from "./hugging-face-fields.ts";
import { readConfigFile } from "./hugging-face-file.ts";
import { usualExperts } from "./hugging-face-layers.ts";
import { isMapping } from "./mapping.ts";
import { formatPath, joinAlternatives } from "./problems.ts";
import type { Job } from "./schema.ts";
import { moeSection } from "./sections/moe.ts";

/** What is to be done with a folder's weights. */
export type WeightsUse = { kind: "import" } | { kind: "upcycle"; experts: number; topK: number };

/** The model that a folder's weights become, and the longest sequence it is meant for. */
export type WeightsModel = Pick<Job, "model" | "moe"> & { maxPositions: number };

/** Families whose weights the engine reads, by what may be done with them. */
const FAMILIES: Record<WeightsUse["kind"], readonly string[]> = {
  import: ["mixtral"],
  upcycle: ["llama", "mistral"],
};

/**
 * Reads the config.json of a folder whose weights are to be trained on.
 *
 * @throws MoestroError `invalid_input`, one line, for a family or a setting that the
 *   engine does not have
 */
export function readWeightsConfig(folder: string, use: WeightsUse): Promise<WeightsModel> {
  const shownName = join(folder, "config.json");
  return readConfigFile(shownName, shownName, (config) => weightsModel(config, use));
}

function weightsModel(value: unknown, use: WeightsUse): WeightsModel {
  const config = isMapping(value) ? value : {};
  refuseOtherFamily(config, use);
  refuseScaledRope(config);
  const known = importHuggingFaceConfig(config);
  // A router made of noise needs no bias, and Mixtral's format has none.
  const model = { ...known.model, routerBias: false };
  const experts = use.kind === "upcycle" ? usualExperts(use.experts, use.topK) : known.moe;
  const moe = { ...moeSection.parse(experts), experts: experts.experts, topK: experts.topK };
  const problem = whyEngineCannotModel({ model, moe });
  if (problem !== undefined) {
    throw new UnsupportedConfigError(`${formatPath(problem.path)}: ${problem.message}`);
  }
  return { model, moe, maxPositions: size(config, "max_position_embeddings", 2048) };
}

function refuseOtherFamily({ model_type: type }: Config, { kind }: WeightsUse): void {
  if (typeof type === "string" && FAMILIES[kind].includes(type)) return;
  const found = `model_type: ${JSON.stringify(type ?? null)}`;
  const takes = `moestro ${kind} takes ${joinAlternatives(FAMILIES[kind])}`;
  const other = kind === "import" ? "upcycle" : "import";
  if (typeof type !== "string" || !FAMILIES[other].includes(type)) {
    throw new UnsupportedConfigError(`${found}: ${takes}; use a model of that family`);
  }
  const what = other === "import" ? "has experts already" : "is dense";
  throw new UnsupportedConfigError(`${found} ${what}, and ${takes}; use moestro ${other}`);
}

/** Scaling changes no shape, so that a plan may pass over it; weights are trained for it. */
function refuseScaledRope(config: Config): void {
  for (const field of ["rope_scaling", "rope_parameters"]) {
    if (!isGiven(config[field])) continue;
    const { rope_type: type, type: older } = section(config, field);
    const found = type ?? older ?? "default";
    if (found !== "default") {
      throw new UnsupportedConfigError(
        `${field}: RoPE of type ${JSON.stringify(found)} is not supported, only "default"; use a model without scaled RoPE`,
      );
    }
  }
}
