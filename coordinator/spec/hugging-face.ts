import { FAMILIES } from "./hugging-face-families.ts";
import { type Config, UnsupportedConfigError } from "./hugging-face-fields.ts";
import { refuseOtherLayers, refuseUnknownFields } from "./hugging-face-unknown.ts";
import type { KnownModel } from "./presets.ts";
import { joinAlternatives } from "./problems.ts";

export { UnsupportedConfigError } from "./hugging-face-fields.ts";

/**
 * Takes over a Hugging Face `config.json` of the families whose shape the planner
 * knows. Fields that change what the model computes and have no counterpart here
 * are refused by name; the rest (token ids, dropout-free inference settings) are
 * of no consequence for shapes and are passed over.
 *
 * @throws UnsupportedConfigError naming the field
 */
export function importHuggingFaceConfig(value: unknown): KnownModel {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new UnsupportedConfigError("is not a JSON object; give a model's config.json");
  }
  const config = value as Config;
  const { model_type: type } = config;
  const family =
    typeof type === "string" && Object.hasOwn(FAMILIES, type) ? FAMILIES[type] : undefined;
  if (family === undefined || typeof type !== "string") {
    const names = joinAlternatives(Object.keys(FAMILIES));
    throw new UnsupportedConfigError(
      `model_type: ${JSON.stringify(type ?? null)} is not supported; use ${names}, or write the sizes inline`,
    );
  }
  refuseUnknownFields(config, type);
  refuseOtherLayers(config, type);
  return family(config);
}
