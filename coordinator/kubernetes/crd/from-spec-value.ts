import { expectation } from "../../spec/expectation.ts";
import type { JsonSchema } from "../../spec/json-schema.ts";
import { isMapping } from "../../spec/mapping.ts";
import type { JobPath, Problem } from "../../spec/problems.ts";
import { valueOfDecimal } from "./decimals.ts";
import { translationOf } from "./translation.ts";

/**
 * A value of a MoETrainingJob as the job file has it. What is not written as the CRD asks is
 * put into `problems` and left as it is; everything else is for the job's own rules to judge.
 */
export function fromSpecValue(
  value: unknown,
  schema: JsonSchema,
  path: JobPath,
  problems: Problem[],
): unknown {
  const refuse = (message: string) => {
    problems.push({ path, message });
    return value;
  };
  const translation = translationOf(schema);
  switch (translation.kind) {
    case "decimal": {
      const read = valueOfDecimal(value, translation.words);
      return read ?? refuse(notDecimal(value, schema));
    }
    case "list": {
      if (!Array.isArray(value)) return refuse(`is always a list here; write ${listText(value)}`);
      return translation.isOfWords && value.length === 1 ? value[0] : value;
    }
    case "optional":
      return isMapping(value)
        ? fromSpecValue(value, translation.object, path, problems)
        : refuse("must be a mapping here; leave it out to have the planner choose");
    case "same":
      return inside(value, translation.schema, path, problems);
  }
}

function inside(
  value: unknown,
  { properties, items }: JsonSchema,
  path: JobPath,
  problems: Problem[],
): unknown {
  if (Array.isArray(value) && items) {
    return value.map((one, index) => fromSpecValue(one, items, [...path, index], problems));
  }
  if (!isMapping(value) || !properties) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => {
      const schema = Object.hasOwn(properties, key) ? properties[key] : undefined;
      return [key, schema ? fromSpecValue(one, schema, [...path, key], problems) : one];
    }),
  );
}

function notDecimal(value: unknown, schema: JsonSchema): string {
  const wanted = `use ${expectation(schema)}, as text`;
  if (typeof value === "number" && value >= 0) {
    return `Kubernetes' API has no fractions, so numbers are text here; write "${value}"`;
  }
  if (value === false) return 'must be text here; write "false"';
  return `${JSON.stringify(value) ?? "it"} is no number in text; ${wanted}`;
}

function listText(value: unknown): string {
  const isWord = typeof value === "string" || typeof value === "number";
  return isWord ? `[${value}]` : "[…]";
}
