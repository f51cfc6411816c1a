import assert from "node:assert/strict";
import { it } from "node:test";
import { innerOf, isEntry, ownSets } from "./field-sets.ts";
import type { ObservedObject } from "./observation.ts";

it("entries of lists are named by their keys, their value or their place", () => {
  const port = { containerPort: 80, protocol: "TCP", name: "http" };
  assert.ok(isEntry('k:{"containerPort":80,"protocol":"TCP"}', port, 3));
  assert.ok(!isEntry('k:{"containerPort":80,"protocol":"UDP"}', port, 3));
  assert.ok(isEntry('v:"Ingress"', "Ingress", 0) && !isEntry('v:"Ingress"', "Egress", 0));
  assert.ok(isEntry("i:1", "x", 1) && !isEntry("i:1", "x", 0));
});

it("what is below a place does not have the place itself", () => {
  assert.deepEqual(innerOf({ ".": {}, "f:a": { "f:b": {} } }), [["f:a", { "f:b": {} }]]);
});

it("the operator's own sets are those of its name, by the kinds of write that are asked for", () => {
  const entry = (manager: string, operation: string, key: string, more = {}) => ({
    ...{ manager, operation, fieldsV1: { [`f:${key}`]: {} } },
    ...more,
  });
  const managedFields = [
    entry("moestro-operator", "Apply", "applied"),
    entry("moestro-operator", "Update", "created"),
    entry("moestro-operator", "Apply", "told", { subresource: "status" }),
    entry("kubectl", "Apply", "theirs"),
    { manager: "moestro-operator", operation: "Apply" },
  ];
  const metadata = { name: "x", uid: "u", resourceVersion: "1", managedFields };
  const object: ObservedObject = { apiVersion: "v1", kind: "ConfigMap", metadata };
  assert.deepEqual(ownSets(object), [{ "f:applied": {} }, { "f:created": {} }]);
  assert.deepEqual(ownSets(object, ["Apply"]), [{ "f:applied": {} }]);
});
