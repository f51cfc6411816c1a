import type { ModelShape } from "./model-shape.ts";
import { MODEL_NAMES, MODEL_SHAPES, type ModelName } from "./shapes.ts";

/** Names that are more than another spelling of a preset's own. */
const ALIASES: Record<string, ModelName> = {
  skyworkmoe: "skywork-moe-146b",
  mixtral8x22b64experts: "mixtral-8x22b-g8t8",
  qwen257b: "qwen2-57b-a14b",
  qwen330b: "qwen3-30b-a3b",
  qwen3235b: "qwen3-235b-a22b",
  grok1314b: "grok-1",
  grok: "grok-1",
  deepseekmoe: "deepseek-moe-16b",
  deepseekr1: "deepseek-v3",
  mistral7bv01: "mistral-7b",
  mistral7bv02: "mistral-7b",
};

/** Llama 3.1's 8B, 70B and 405B and 3.3's 70B have Llama 3's sizes; 3.2's are others. */
const LLAMA3_RELEASES = /^(?:meta)?llama(?:31|33|3)(?=\d+b$)/;

/** Sizes that people write behind a name that already says them: `146B/22B`, `671B`. */
const TRAILING_SIZES = /[\s_-]+(?<size>\d+)b(?:[\s/_-]+a?\d+b)?$/;

/**
 * The preset that a table or a person means: `Mixtral 8x22B`, `llama3_70b`,
 * `DeepSeek V3 671B`, `LLaMA-3.1 405B`, `Skywork-MoE 146B/22B (proxy, 12 layers)`.
 * Undefined for a model that is none of the presets.
 */
export function findModelName(name: string): ModelName | undefined {
  const text = plain(name);
  const exact = byKey(glue(text));
  if (exact !== undefined) return exact;
  const sizes = TRAILING_SIZES.exec(text);
  const found = sizes === null ? undefined : byKey(glue(text.slice(0, sizes.index)));
  if (found === undefined) return undefined;
  // A size in the name must be the preset's own: `DBRX 7B` is no DBRX.
  return PUBLISHED_SIZES[found]?.includes(Number(sizes?.groups?.size)) ? found : undefined;
}

/** `findModelName`, and its shape. */
export function findModelShape(name: string): ModelShape | undefined {
  const found = findModelName(name);
  return found === undefined ? undefined : MODEL_SHAPES[found];
}

function byKey(key: string): ModelName | undefined {
  const own = MODEL_NAMES.find((name) => glue(name) === key);
  return own ?? (Object.hasOwn(ALIASES, key) ? ALIASES[key] : undefined);
}

/** Billions of parameters, total and active, as names of presets without sizes carry them. */
const PUBLISHED_SIZES: Partial<Record<ModelName, readonly number[]>> = {
  "skywork-moe-146b": [146, 22],
  "mixtral-8x7b": [47, 13],
  "mixtral-8x22b": [141, 140, 176, 39],
  "qwen2-57b-a14b": [57, 14],
  "qwen3-30b-a3b": [30, 3],
  "qwen3-235b-a22b": [235, 22],
  "deepseek-v2-lite": [16],
  "deepseek-v2": [236, 21],
  "deepseek-v3": [671, 37],
  "grok-1": [314],
  dbrx: [132, 36],
  "gpt-oss-20b": [21, 20],
  "gpt-oss-120b": [117, 116, 120],
};

/** Without case, remarks in brackets, the owner's name and what training does not change. */
function plain(name: string): string {
  return name
    .toLowerCase()
    .replace(/\(.*$/, "")
    .replace(/^[a-z-]+\//, "")
    .replace(/\b(?:hf|base|instruct|chat)\b/g, "")
    .replace(/[^a-z0-9]+$/, "");
}

function glue(text: string): string {
  return text
    .replace(/[^a-z0-9]/g, "")
    .replace(LLAMA3_RELEASES, "llama3")
    .replace(/^metallama/, "llama");
}
