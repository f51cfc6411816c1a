import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFINITIONS } from "../schema/definitions.ts";
import { jsonPatch } from "./json-patch.ts";
import { mergePatch } from "./merge-patch.ts";
import { strategicMerge } from "./strategic-merge.ts";

const POD = DEFINITIONS.get("io.k8s.api.core.v1.PodSpec") ?? {};

test("a merge patch sets, merges and deletes fields, and replaces lists", () => {
  const merged = mergePatch({ a: 1, b: { c: 2, d: 3 }, e: [1] }, { b: { c: null }, e: [2], f: 4 });
  assert.deepEqual(merged, { a: 1, b: { d: 3 }, e: [2], f: 4 });
});

test("a JSON patch adds into lists, tests, moves, and refuses what is not there", () => {
  const patched = jsonPatch({ a: [1, 3], b: "x" }, [
    { op: "add", path: "/a/1", value: 2 },
    { op: "test", path: "/b", value: "x" },
    { op: "move", from: "/b", path: "/c~1d" },
  ]);
  assert.deepEqual(patched, { a: [1, 2, 3], "c/d": "x" });
  assert.throws(() => jsonPatch({}, [{ op: "remove", path: "/a" }]), /does not exist/);
  assert.throws(() => jsonPatch({ a: 1 }, [{ op: "test", path: "/a", value: 2 }]), /failed/);
});

test("a strategic merge patch merges containers by name and environment variables within", () => {
  const live = {
    containers: [{ name: "a", image: "1", env: [{ name: "X", value: "1" }] }, { name: "b" }],
    tolerations: [{ key: "t" }],
  };
  const patch = {
    containers: [
      { name: "a", env: [{ name: "Y", value: "2" }] },
      { name: "b", $patch: "delete" },
    ],
    tolerations: [{ key: "u" }],
  };
  assert.deepEqual(strategicMerge(live, patch, POD), {
    containers: [
      {
        name: "a",
        image: "1",
        env: [
          { name: "X", value: "1" },
          { name: "Y", value: "2" },
        ],
      },
    ],
    tolerations: [{ key: "u" }],
  });
});
