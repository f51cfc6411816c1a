import type { JsonSchema } from "../../spec/json-schema.ts";

/**
 * How a value of the job file is written in a MoETrainingJob. Structural schemas know one
 * type a field, and Kubernetes' API has no floats:
 *
 * - `decimal`: a number that may have a fraction is a string, `words` what else it may be
 *   (`dropless`, `false`);
 * - `list`: a value or a list of them is always a list; one word alone is a list of one;
 * - `optional`: one word or a mapping is the mapping, and its absence means the word;
 * - `same`: it is written as in the job file.
 */
export type Translation =
  | { kind: "decimal"; number: JsonSchema; words: readonly (string | boolean)[] }
  | { kind: "list"; list: JsonSchema; isOfWords: boolean }
  | { kind: "optional"; object: JsonSchema }
  | { kind: "same"; schema: JsonSchema };

export function translationOf(schema: JsonSchema): Translation {
  const branches = (schema.anyOf ?? []).filter(({ type }) => type !== undefined);
  const number = [schema, ...branches].find(({ type }) => type === "number");
  if (number) return { kind: "decimal", number, words: branches.flatMap(wordsOf) };
  const list = branches.find(({ type }) => type === "array");
  if (list) return { kind: "list", list, isOfWords: list.items?.type === "string" };
  const object = branches.find(({ type }) => type === "object");
  if (object) return { kind: "optional", object };
  return { kind: "same", schema };
}

function wordsOf({ const: word }: JsonSchema): (string | boolean)[] {
  return typeof word === "string" || typeof word === "boolean" ? [word] : [];
}
