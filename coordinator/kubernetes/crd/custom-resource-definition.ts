import { API_GROUP, KIND, NAME_PATTERN, NAME_RULE, PLURAL } from "../names.ts";
import { specSchema } from "./spec-schema.ts";
import { statusSchema } from "./status-schema.ts";
import type { StructuralSchema } from "./structural.ts";

/** The whole CustomResourceDefinition, made from the job's schema. Pure. */
export function customResourceDefinition() {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: {
      name: `${PLURAL}.${API_GROUP}`,
      labels: { "app.kubernetes.io/name": "moestro", "app.kubernetes.io/part-of": "moestro" },
    },
    spec: {
      group: API_GROUP,
      scope: "Namespaced",
      names: {
        ...{ kind: KIND, listKind: `${KIND}List`, plural: PLURAL, singular: "moetrainingjob" },
        shortNames: ["moejob"],
        categories: ["all", "moestro"],
      },
      versions: [
        {
          ...{ name: "v1alpha1", served: true, storage: true },
          subresources: {
            status: {},
            scale: {
              specReplicasPath: ".spec.nodes.max",
              statusReplicasPath: ".status.nodes",
              labelSelectorPath: ".status.selector",
            },
          },
          additionalPrinterColumns: COLUMNS,
          schema: { openAPIV3Schema: rootSchema() },
        },
      ],
    },
  };
}

const COLUMNS = [
  { name: "State", type: "string", jsonPath: ".status.summary.state" },
  { name: "Step", type: "integer", jsonPath: ".status.summary.step" },
  { name: "Loss", type: "string", jsonPath: ".status.summary.loss" },
  { name: "MFU", type: "string", jsonPath: ".status.summary.mfu" },
  { name: "Nodes", type: "integer", jsonPath: ".status.nodes" },
  { name: "Restarts", type: "integer", jsonPath: ".status.restarts" },
  { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
];

function rootSchema(): StructuralSchema {
  return {
    type: "object",
    description: "A training job of moestro: a Mixture-of-Experts model, its data and its nodes.",
    required: ["spec"],
    "x-kubernetes-validations": [
      {
        rule: `self.metadata.name.matches('${NAME_PATTERN}')`,
        message: `metadata.name ${NAME_RULE}`,
      },
    ],
    properties: {
      apiVersion: { type: "string", description: "moestro.dev/v1alpha1." },
      kind: { type: "string", description: "MoETrainingJob." },
      metadata: { type: "object" },
      spec: specSchema(),
      status: statusSchema(),
    },
  };
}
