import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json } from "../json.ts";
import type { Schema } from "../schema/definitions.ts";
import { checkRules } from "./cel.ts";
import { prune, setDefaults } from "./shape.ts";
import { checkStructural } from "./structural.ts";
import { validate } from "./validate.ts";

const NODES: Schema = {
  type: "object",
  required: ["min"],
  properties: {
    min: { type: "integer", minimum: 1 },
    max: { type: "integer", default: 4 },
    kind: { type: "string", enum: ["Job", "JobSet"] },
  },
  "x-kubernetes-validations": [
    { rule: "self.min <= self.max", message: "min is above max" },
    { rule: "self.min == oldSelf.min", message: "min is immutable", fieldPath: ".min" },
  ],
};
const SCHEMA: Schema = {
  type: "object",
  properties: {
    spec: {
      type: "object",
      properties: { nodes: NODES },
    },
  },
};

function texts(value: Json): string[] {
  return validate(value, SCHEMA).map(({ field, message }) => `${field}: ${message}`);
}

test("a value is refused in the API server's words", () => {
  assert.deepEqual(texts({ spec: { nodes: { min: 0, kind: "Pod" } } }), [
    "spec.nodes.min: Invalid value: 0: spec.nodes.min in body should be greater than or equal to 1",
    'spec.nodes.kind: Unsupported value: "Pod": supported values: "Job", "JobSet"',
  ]);
  assert.deepEqual(texts({ spec: { nodes: {} } }), ["spec.nodes.min: Required value"]);
  assert.deepEqual(texts({ spec: { nodes: { min: "1" } } }), [
    'spec.nodes.min: Invalid value: "string": spec.nodes.min in body must be of type integer: "string"',
  ]);
});

test("unknown fields are dropped and told, defaults are set where the parent is there", () => {
  const value = { spec: { nodes: { min: 1, mox: 2 } as { [key: string]: Json } }, other: 1 };
  assert.deepEqual(prune(value, SCHEMA), ["spec.nodes.mox", "other"]);
  setDefaults(value, SCHEMA);
  assert.deepEqual(value, { spec: { nodes: { min: 1, max: 4 } } });
});

test("rules see what was before, on updates only", () => {
  const rules = (now: Json, old?: Json) =>
    checkRules(now, old, SCHEMA).map(({ field, message }) => `${field}: ${message}`);
  const nodes = (min: number, max: number): Json => ({ spec: { nodes: { min, max } } });
  assert.deepEqual(rules(nodes(1, 2)), []);
  assert.deepEqual(rules(nodes(3, 2)), ['spec.nodes: Invalid value: "object": min is above max']);
  assert.deepEqual(rules(nodes(1, 2), nodes(1, 3)), []);
  assert.deepEqual(rules(nodes(2, 2), nodes(1, 3)), [
    'spec.nodes.min: Invalid value: "object": min is immutable',
  ]);
});

test("rules may use has, size, all, matches and the strings extension", () => {
  const schema: Schema = {
    type: "object",
    properties: { metadata: {}, list: { type: "array", items: { type: "string" } } },
    "x-kubernetes-validations": [
      { rule: "size(self.metadata.name) <= 3" },
      { rule: "!has(self.list) || self.list.all(x, x.matches('^[a-z]+$'))" },
      { rule: "self.metadata.name.indexOf('a') == 0" },
    ],
  };
  assert.deepEqual(checkRules({ metadata: { name: "abc" }, list: ["x"] }, undefined, schema), []);
  assert.equal(
    checkRules({ metadata: { name: "bcde" }, list: ["X"] }, undefined, schema).length,
    3,
  );
});

test("a schema that is not structural, a default that does not fit and a broken rule are found", () => {
  const found = checkStructural(
    {
      type: "object",
      properties: {
        a: {},
        b: { type: "integer", default: "x" },
        c: { type: "object", additionalProperties: false },
      },
      "x-kubernetes-validations": [{ rule: "self.a ==" }],
    },
    "s",
  );
  assert.deepEqual(
    found.map(({ field }) => field),
    [
      "s.x-kubernetes-validations[0].rule",
      "s.properties[a].type",
      "s.properties[b].default",
      "s.properties[c].additionalProperties",
    ],
  );
});
