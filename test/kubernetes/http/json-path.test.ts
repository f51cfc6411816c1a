import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonPath } from "./json-path.ts";

const OBJECT = {
  metadata: { labels: { "a.b/c": "x" } },
  status: {
    conditions: [
      { type: "A", status: "False" },
      { type: "B", status: "True" },
    ],
    n: 0,
  },
};

test("a path reads fields, items, quoted and escaped names, and items by what is in them", () => {
  assert.deepEqual(jsonPath(OBJECT, ".status.n"), [0]);
  assert.deepEqual(jsonPath(OBJECT, ".status.conditions[1].type"), ["B"]);
  assert.deepEqual(jsonPath(OBJECT, ".status.conditions[*].type"), ["A", "B"]);
  assert.deepEqual(jsonPath(OBJECT, ".metadata.labels['a.b/c']"), ["x"]);
  assert.deepEqual(jsonPath(OBJECT, ".metadata.labels.a\\.b/c"), ["x"]);
  assert.deepEqual(jsonPath(OBJECT, '.status.conditions[?(@.status=="True")].type'), ["B"]);
  assert.deepEqual(jsonPath(OBJECT, ".status.nothing.there"), []);
});
