import type { Cause } from "../api-error.ts";
import { invalidValue } from "../crd/validate.ts";
import { at, type Json, type KubeObject, same } from "../json.ts";

/** What was changed of the fields of `spec` that must not be. */
export function changed(
  object: KubeObject,
  old: KubeObject | undefined,
  fields: readonly string[],
): Cause[] {
  if (!old) return [];
  return fields
    .filter((field) => !same(at(object, "spec", field), at(old, "spec", field)))
    .map((field) => {
      const value: Json = at(object, "spec", field) ?? null;
      return invalidValue(`spec.${field}`, value, "field is immutable");
    });
}
