import { OUR_POD_FIELDS } from "../children/template-problems.ts";
import type { StructuralSchema } from "./structural.ts";

const open = (description: string): StructuralSchema => ({
  ...{ type: "object", description, "x-kubernetes-preserve-unknown-fields": true },
});

/** What of a pod template's patch the API server can judge: which keys it may have. */
export function templateSchema(description: string): StructuralSchema {
  const ours = Object.entries(OUR_POD_FIELDS);
  return {
    ...{ type: "object", description },
    properties: {
      metadata: {
        ...{ type: "object", description: "Of the pods." },
        properties: {
          labels: open("Labels of the pods, beside those of moestro."),
          annotations: open("Annotations of the pods."),
        },
      },
      spec: {
        ...open("Of the pods, all but what moestro depends on."),
        properties: Object.fromEntries(
          ours.map(([field, why]) => [
            field,
            { type: "string", maxLength: 253, description: `Must be left out: it ${why}.` },
          ]),
        ),
        "x-kubernetes-validations": ours.map(([field, why]) => ({
          rule: `!has(self.${field})`,
          message: `must be left out: it ${why}`,
          fieldPath: `.${field}`,
        })),
      },
    },
  };
}
