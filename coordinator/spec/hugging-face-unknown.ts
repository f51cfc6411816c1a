import { type Config, UnsupportedConfigError } from "./hugging-face-fields.ts";
import { IDLE_FIELDS, SHAPE_FIELDS } from "./hugging-face-shape-fields.ts";

/** Names of fields that size something. */
const SIZE_NAME =
  /^(?:num|n)_|_(?:size|dim|rank|layers|heads|experts|window|freq|interval|step|topk|types|pattern|ratio)$/;

/** Of these 1 means every layer, which is nothing special. */
const EVERY_NAME = /_(?:freq|interval|step)$/;

/** Fields that some family has a use for, and switches of families that are not read. */
const SHAPING = new Set([
  ...Object.values(SHAPE_FIELDS).flat(),
  ...["attn_output_gate", "qk_norm", "use_qk_norm", "use_bias", "use_parallel_residual"],
]);

const LAYER_TYPES = ["full_attention", "sliding_attention"];

/**
 * Refuses a field that changes the model's shape and that its family is not read by:
 * by its name it sizes something, or another family has it. Passing over it would
 * plan for another model. Other unknown fields pass.
 *
 * @throws UnsupportedConfigError naming the field
 */
export function refuseUnknownFields(config: Config, family: string): void {
  const own = new Set([...IDLE_FIELDS, ...(SHAPE_FIELDS[family] ?? [])]);
  const unknown = Object.entries(config).find(
    ([field, value]) => !own.has(field) && saysSomething(field, value),
  );
  if (unknown === undefined) return;
  const [field, value] = unknown;
  throw new UnsupportedConfigError(
    `${field}: ${JSON.stringify(value)} is not known to size anything of ${family}; remove it if it changes no shape, or write the sizes inline`,
  );
}

function saysSomething(field: string, value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0 && isShaping(field);
  if (typeof value === "boolean") return value && SHAPING.has(field);
  if (typeof value !== "number" || value === 0) return false;
  return isShaping(field) && !(value === 1 && EVERY_NAME.test(field));
}

function isShaping(field: string): boolean {
  return SHAPING.has(field) || SIZE_NAME.test(field);
}

/**
 * Refuses layers other than attention over everything or over a window, and windows
 * where the file gives none.
 *
 * @throws UnsupportedConfigError naming the entry
 */
export function refuseOtherLayers(config: Config, family: string): void {
  const { layer_types: types } = config;
  if (!Array.isArray(types)) return;
  const hasWindows = SHAPE_FIELDS[family]?.includes("layer_types") === true;
  const isOff =
    !hasWindows || config.use_sliding_window === false || config.sliding_window === null;
  for (const [index, type] of types.entries()) {
    const given = `layer_types[${index}]: ${JSON.stringify(type)}`;
    if (!LAYER_TYPES.includes(type)) {
      throw new UnsupportedConfigError(
        `${given} is not supported, only ${LAYER_TYPES.join(" and ")}; plan for another model`,
      );
    }
    if (type === "sliding_attention" && isOff) {
      throw new UnsupportedConfigError(
        `${given} has no window here (sliding_window); correct the file or write the sizes inline`,
      );
    }
  }
}
