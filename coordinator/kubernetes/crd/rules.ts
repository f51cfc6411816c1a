import { expectation } from "../../spec/expectation.ts";
import type { JsonSchema } from "../../spec/json-schema.ts";
import { joinAlternatives } from "../../spec/problems.ts";
import type { CelRule } from "./structural.ts";

/** The bounds of a decimal, which its pattern cannot say; none if that it is not negative is all. */
export function decimalRule(
  number: JsonSchema,
  words: readonly (string | boolean)[],
): CelRule | undefined {
  const { minimum = 0, maximum, exclusiveMinimum, exclusiveMaximum } = number;
  const bounds = [
    exclusiveMinimum === undefined ? [] : [`double(self) > ${double(exclusiveMinimum)}`],
    minimum <= 0 ? [] : [`double(self) >= ${double(minimum)}`],
    maximum === undefined ? [] : [`double(self) <= ${double(maximum)}`],
    exclusiveMaximum === undefined ? [] : [`double(self) < ${double(exclusiveMaximum)}`],
  ].flat();
  if (bounds.length === 0) return undefined;
  const wanted = joinAlternatives([expectation(number), ...words.map(String)]);
  const isWord = words.map((word) => `self == '${word}' || `).join("");
  const inBounds = bounds.join(" && ");
  return {
    rule: isWord === "" ? inBounds : `${isWord}(${inBounds})`,
    message: `must be ${wanted}, as text`,
  };
}

/** Which fields an object must have: JSON Schema's anyOf or oneOf over `required`. */
export function alternativesRule({ anyOf, oneOf }: JsonSchema): CelRule | undefined {
  const choices = requirements(oneOf) ?? requirements(anyOf);
  if (choices === undefined) return undefined;
  const given = choices.map((keys) => keys.map((key) => `has(self.${key})`).join(" && "));
  const names = joinAlternatives(choices.map((keys) => keys.join(", ")));
  return oneOf === undefined
    ? { rule: given.map((one) => `(${one})`).join(" || "), message: `must have ${names}` }
    : {
        rule: `[${given.join(", ")}].filter(given, given).size() == 1`,
        message: `must have exactly one of ${names}`,
      };
}

/** Sections a change of which no run can honour, with why. A section may be absent. */
export function immutableRules(fields: readonly string[], isRequired: Set<string>): CelRule[] {
  return fields.map((field) => ({
    rule: isRequired.has(field)
      ? `self.${field} == oldSelf.${field}`
      : `has(self.${field}) == has(oldSelf.${field}) && (!has(self.${field}) || self.${field} == oldSelf.${field})`,
    message: `${field} cannot be changed: a run keeps what it began with; make another MoETrainingJob`,
    fieldPath: `.${field}`,
  }));
}

function requirements(branches: unknown): string[][] | undefined {
  if (!Array.isArray(branches)) return undefined;
  const lists = branches.map(({ required }: JsonSchema) => required ?? []);
  return lists.every((keys) => keys.length > 0) ? lists : undefined;
}

/** A number as CEL reads a double. */
function double(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}
