import { expectation } from "../../spec/expectation.ts";
import type { JsonSchema } from "../../spec/json-schema.ts";
import { decimalPattern, MAX_DECIMAL_LENGTH } from "./decimals.ts";
import { alternativesRule, decimalRule } from "./rules.ts";
import type { StructuralSchema } from "./structural.ts";
import { toSpecValue } from "./to-spec-value.ts";
import { type Translation, translationOf } from "./translation.ts";

/** Paths and prompts; the API server bounds the cost of rules by what strings may hold. */
const MAX_STRING_LENGTH = 4096;
const INT32_MAX = 2_147_483_647;

/**
 * The structural schema of what a part of the job file becomes in a MoETrainingJob.
 *
 * @param withDefaults write the job's defaults into every object that leaves them out;
 *   false where a preset or a config file may say something else, which a value that the
 *   API server filled in would override
 */
export function structuralOf(schema: JsonSchema, withDefaults: boolean): StructuralSchema {
  const { default: standard } = schema;
  const shown = standard === undefined ? undefined : toSpecValue(standard, schema);
  const isWritten = withDefaults && shown !== undefined;
  return {
    ...shapeOf(translationOf(schema), withDefaults),
    ...describe(schema, isWritten ? undefined : shown),
    ...(isWritten ? { default: shown } : {}),
  };
}

function shapeOf(translation: Translation, withDefaults: boolean): StructuralSchema {
  switch (translation.kind) {
    case "decimal":
      return decimal(translation);
    case "list":
      return plain(translation.list, withDefaults);
    case "optional":
      return plain(translation.object, withDefaults);
    case "same":
      return plain(translation.schema, withDefaults);
  }
}

function decimal({ number, words }: Translation & { kind: "decimal" }): StructuralSchema {
  const rule = decimalRule(number, words);
  return {
    type: "string",
    pattern: decimalPattern(words),
    maxLength: MAX_DECIMAL_LENGTH,
    ...(rule ? { "x-kubernetes-validations": [rule] } : {}),
  };
}

function plain(schema: JsonSchema, withDefaults: boolean): StructuralSchema {
  switch (schema.type) {
    case "object":
      return object(schema, withDefaults);
    case "array":
      return {
        type: "array",
        ...pick(schema, ["minItems", "maxItems"]),
        "x-kubernetes-list-type": "atomic",
        ...(schema.items ? { items: structuralOf(schema.items, withDefaults) } : {}),
      };
    case "integer": {
      const fits = (schema.maximum ?? Number.POSITIVE_INFINITY) <= INT32_MAX;
      const format = fits ? "int32" : "int64";
      return { type: "integer", format, ...pick(schema, ["minimum", "maximum"]) };
    }
    case "boolean":
      return { type: "boolean" };
    case "string":
      return {
        type: "string",
        ...pick(schema, ["enum", "pattern", "minLength"]),
        ...(schema.enum ? {} : { maxLength: Number(schema.maxLength ?? MAX_STRING_LENGTH) }),
      };
    default:
      throw new Error(`no structural schema for type ${schema.type}: ${expectation(schema)}`);
  }
}

function object(schema: JsonSchema, withDefaults: boolean): StructuralSchema {
  const { properties = {}, required, additionalProperties } = schema;
  const rule = alternativesRule(schema);
  return {
    type: "object",
    ...(additionalProperties === false ? {} : { "x-kubernetes-preserve-unknown-fields": true }),
    ...(Object.keys(properties).length === 0
      ? {}
      : {
          properties: Object.fromEntries(
            Object.entries(properties).map(([key, one]) => [key, structuralOf(one, withDefaults)]),
          ),
        }),
    ...(required ? { required } : {}),
    ...(rule ? { "x-kubernetes-validations": [rule] } : {}),
  };
}

/** @param unwritten a default that the API server does not write, so that it is told here */
function describe({ description }: JsonSchema, unwritten: unknown): { description?: string } {
  if (description === undefined) return {};
  const text = description.replaceAll("relative to the job file", "as the pods see it");
  const isTold = unwritten === undefined || text.includes("Default:");
  return { description: isTold ? text : `${text} Default: ${unwritten}, or the preset's.` };
}

function pick<Key extends string>(
  schema: JsonSchema,
  keys: readonly Key[],
): Partial<Pick<StructuralSchema, Key & keyof StructuralSchema>> {
  return Object.fromEntries(
    keys.filter((key) => schema[key] !== undefined).map((key) => [key, schema[key]]),
  ) as Partial<Pick<StructuralSchema, Key & keyof StructuralSchema>>;
}
