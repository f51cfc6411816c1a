import type { KubeObject } from "../../../test/kubernetes/json.ts";

/** JobSets as far as the operator's rest on them; what its webhook freezes, a rule freezes here. */
export const JOB_SETS: KubeObject = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "jobsets.jobset.x-k8s.io" },
  spec: {
    group: "jobset.x-k8s.io",
    scope: "Namespaced",
    names: { plural: "jobsets", singular: "jobset", kind: "JobSet", listKind: "JobSetList" },
    versions: [
      {
        ...{ name: "v1alpha2", served: true, storage: true },
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: "object",
            properties: {
              spec: {
                type: "object",
                "x-kubernetes-preserve-unknown-fields": true,
                properties: {
                  suspend: { type: "boolean" },
                  replicatedJobs: {
                    type: "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "x-kubernetes-validations": [
                      { rule: "self == oldSelf", message: "field is immutable" },
                    ],
                    items: {
                      type: "object",
                      required: ["name"],
                      properties: { name: { type: "string" } },
                      "x-kubernetes-preserve-unknown-fields": true,
                    },
                  },
                },
              },
              status: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
            },
          },
        },
      },
    ],
  },
};
