import type { Json, JsonObject } from "./json.ts";

/** A small CRD with everything that the stand-in has to know of one. */
export const TOYS: JsonObject = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "toys.example.com" },
  spec: {
    group: "example.com",
    scope: "Namespaced",
    names: {
      plural: "toys",
      singular: "toy",
      kind: "Toy",
      shortNames: ["ty"],
      categories: ["all"],
    },
    versions: [
      {
        ...{ name: "v1", served: true, storage: true },
        subresources: {
          status: {},
          scale: { specReplicasPath: ".spec.nodes.max", statusReplicasPath: ".status.nodes" },
        },
        additionalPrinterColumns: [
          { name: "Max", type: "integer", jsonPath: ".spec.nodes.max" },
          {
            name: "State",
            type: "string",
            jsonPath: '.status.conditions[?(@.status=="True")].type',
          },
          { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
        ],
        schema: { openAPIV3Schema: toySchema() },
      },
    ],
  },
};

function toySchema(): Json {
  const text = { type: "string" };
  const condition = {
    type: "object",
    required: ["type", "status"],
    properties: { type: text, status: text, reason: text },
  };
  return {
    type: "object",
    description: "Toy is a thing to play with.",
    required: ["spec"],
    properties: {
      spec: {
        type: "object",
        required: ["color"],
        properties: {
          color: { type: "string", enum: ["red", "blue"], description: "What it looks like." },
          nodes: {
            type: "object",
            default: {},
            properties: {
              min: { type: "integer", minimum: 1, default: 1 },
              max: { type: "integer", minimum: 1, default: 1 },
            },
            "x-kubernetes-validations": [
              { rule: "self.min <= self.max", message: "min must be at most max" },
            ],
          },
          extra: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
        },
        "x-kubernetes-validations": [
          { rule: "self.color == oldSelf.color", message: "color is immutable" },
        ],
      },
      status: {
        type: "object",
        properties: {
          nodes: { type: "integer" },
          conditions: {
            type: "array",
            items: condition,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
          },
        },
      },
    },
  };
}

export function toy(name: string, spec: JsonObject): JsonObject {
  return { apiVersion: "example.com/v1", kind: "Toy", metadata: { name }, spec };
}
