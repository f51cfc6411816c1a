import { isObject, type Json } from "../json.ts";
import type { Schema } from "../schema/definitions.ts";

/** What is wrong by the keywords that limit a value. */
export function limits(value: Json, schema: Schema): string[] {
  const found: (string | false | undefined)[] = [];
  if (typeof value === "number") {
    const { minimum, maximum, multipleOf } = schema;
    const [above, below] = [schema.exclusiveMinimum, schema.exclusiveMaximum];
    found.push(
      minimum !== undefined &&
        (above ? value <= minimum : value < minimum) &&
        `should be greater than${above ? "" : " or equal to"} ${minimum}`,
      maximum !== undefined &&
        (below ? value >= maximum : value > maximum) &&
        `should be less than${below ? "" : " or equal to"} ${maximum}`,
      multipleOf !== undefined &&
        !Number.isInteger(value / multipleOf) &&
        `should be a multiple of ${multipleOf}`,
    );
  }
  if (typeof value === "string") {
    const length = [...value].length;
    const { minLength, maxLength, pattern } = schema;
    found.push(
      minLength !== undefined && length < minLength && `should be at least ${minLength} chars long`,
      maxLength !== undefined && length > maxLength && `should be at most ${maxLength} chars long`,
      pattern !== undefined && !new RegExp(pattern, "u").test(value) && `should match '${pattern}'`,
    );
  }
  if (Array.isArray(value)) {
    const { minItems, maxItems } = schema;
    found.push(
      minItems !== undefined && value.length < minItems && `should have at least ${minItems} items`,
      maxItems !== undefined && value.length > maxItems && `should have at most ${maxItems} items`,
    );
  }
  if (isObject(value)) {
    const count = Object.keys(value).length;
    const { minProperties, maxProperties } = schema;
    found.push(
      minProperties !== undefined &&
        count < minProperties &&
        `should have at least ${minProperties} properties`,
      maxProperties !== undefined &&
        count > maxProperties &&
        `should have at most ${maxProperties} properties`,
    );
  }
  return found.filter((why) => typeof why === "string");
}
