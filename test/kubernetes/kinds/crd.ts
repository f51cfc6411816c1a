import { invalid } from "../api-error.ts";
import { checkDefinition, establish } from "../crd/definition.ts";
import { changed } from "./immutable.ts";
import type { Kind } from "./kinds.ts";

export const crd: Kind = {
  hasGeneration: true,
  setDefaults(object, cluster) {
    const subject = {
      group: "apiextensions.k8s.io",
      plural: "customresourcedefinitions",
      kind: "CustomResourceDefinition",
      name: object.metadata.name,
    };
    if (!object.spec) {
      const message = "Required value";
      throw invalid(subject, [{ reason: "FieldValueRequired", message, field: "spec" }]);
    }
    object.spec.conversion ??= { strategy: "None" };
    checkDefinition(object, subject);
    establish(object, cluster.timestamp());
  },
  check: (object, old) => changed(object, old, ["scope", "group"]),
};
