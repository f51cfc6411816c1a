import type { JsonSchema } from "../../spec/json-schema.ts";
import { isMapping } from "../../spec/mapping.ts";
import { decimalOf } from "./decimals.ts";
import { translationOf } from "./translation.ts";

/** A value of a job file as a MoETrainingJob has it; undefined where its absence says so. */
export function toSpecValue(value: unknown, schema: JsonSchema): unknown {
  const translation = translationOf(schema);
  switch (translation.kind) {
    case "decimal":
      return decimalOf(value);
    case "list":
      return listOf(value, translation.isOfWords);
    case "optional":
      return isMapping(value) ? toSpecValue(value, translation.object) : undefined;
    case "same":
      return inside(value, translation.schema);
  }
}

/** A count stands for the first so many: `denseLayers: 2` for layers 0 and 1. */
function listOf(value: unknown, isOfWords: boolean): unknown {
  if (Array.isArray(value)) return value;
  return isOfWords ? [value] : Array.from({ length: Number(value) }, (_, index) => index);
}

function inside(value: unknown, { properties, items }: JsonSchema): unknown {
  if (Array.isArray(value) && items) return value.map((one) => toSpecValue(one, items));
  if (!isMapping(value) || !properties) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, one]) => {
        const schema = Object.hasOwn(properties, key) ? properties[key] : undefined;
        return [key, schema ? toSpecValue(one, schema) : one] as const;
      })
      .filter(([, one]) => one !== undefined),
  );
}
