import { cause } from "../crd/validate.ts";
import { same } from "../json.ts";
import type { Kind } from "./kinds.ts";

export const namespace: Kind = {
  setDefaults(object) {
    object.spec ??= { finalizers: ["kubernetes"] };
    object.status ??= { phase: "Active" };
    object.metadata.labels = {
      ...object.metadata.labels,
      "kubernetes.io/metadata.name": object.metadata.name,
    };
  },
};

/** Config maps and secrets: `immutable` is kept to. */
export const configMap: Kind = {
  check(object, old) {
    const isFrozen = old?.immutable === true;
    const isSame = same(object.data, old?.data) && object.immutable === true;
    if (!isFrozen || isSame) return [];
    const why = "Forbidden: field is immutable when `immutable` is set";
    return [cause("data", "FieldValueForbidden", why)];
  },
};
