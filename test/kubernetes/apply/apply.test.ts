import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ApiError } from "../api-error.ts";
import type { JsonObject, KubeObject } from "../json.ts";
import { DEFINITIONS } from "../schema/definitions.ts";
import { serverSideApply } from "./apply.ts";
import { fromTree, toTree } from "./field-paths.ts";
import { trackUpdate } from "./managers.ts";

const POD = DEFINITIONS.get("io.k8s.api.core.v1.Pod") ?? {};
const CONFIG_MAP = DEFINITIONS.get("io.k8s.api.core.v1.ConfigMap") ?? {};

function configMap(data: { [key: string]: string }): KubeObject {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" }, data };
}

function pod(containers: JsonObject[]): KubeObject {
  return { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: { containers } };
}

function by(manager: string, force = false) {
  return { manager, apiVersion: "v1", now: "2026-01-01T00:00:00Z", force };
}

test("what a manager no longer applies goes, what another one applies stays", () => {
  const first = serverSideApply(undefined, configMap({ a: "1", b: "2" }), CONFIG_MAP, by("x"));
  const second = serverSideApply(first, configMap({ b: "2", c: "3" }), CONFIG_MAP, by("y"));
  const third = serverSideApply(second, configMap({ a: "1" }), CONFIG_MAP, by("x"));
  assert.deepEqual(third.data, { a: "1", b: "2", c: "3" });
  const fourth = serverSideApply(third, configMap({ c: "3" }), CONFIG_MAP, by("y"));
  assert.deepEqual(fourth.data, { a: "1", c: "3" });
});

test("a value that another manager set is a conflict, which force settles", () => {
  const live = serverSideApply(undefined, configMap({ a: "1" }), CONFIG_MAP, by("x"));
  assert.throws(
    () => serverSideApply(live, configMap({ a: "2" }), CONFIG_MAP, by("y")),
    (error) =>
      error instanceof ApiError &&
      error.code === 409 &&
      error.message === 'Apply failed with 1 conflict: conflict with "x" using v1: .data.a',
  );
  const forced = serverSideApply(live, configMap({ a: "2" }), CONFIG_MAP, by("y", true));
  assert.deepEqual(
    forced.metadata.managedFields?.map(({ manager }) => manager),
    ["y"],
  );
});

test("containers are merged by name, and one that is no longer applied is removed whole", () => {
  const first = serverSideApply(
    undefined,
    pod([{ name: "a", image: "1" }, { name: "b" }]),
    POD,
    by("x"),
  );
  const injected = structuredClone(first);
  injected.spec = { containers: [{ name: "a", image: "1", tty: true }, { name: "b" }] };
  trackUpdate(first, injected, POD, by("webhook"));
  const second = serverSideApply(injected, pod([{ name: "a", image: "2" }]), POD, by("x"));
  assert.deepEqual(second.spec, { containers: [{ name: "a", image: "2", tty: true }] });
});

test("applying again what one has applied changes nothing", () => {
  const data = fc.dictionary(fc.constantFrom("a", "b", "c"), fc.constantFrom("1", "2"));
  fc.assert(
    fc.property(data, data, (mine, theirs) => {
      const first = serverSideApply(undefined, configMap(mine), CONFIG_MAP, by("x"));
      const second = serverSideApply(first, configMap(theirs), CONFIG_MAP, by("y", true));
      const again = serverSideApply(second, configMap(theirs), CONFIG_MAP, by("y"));
      assert.deepEqual(again, second);
      for (const [key, value] of Object.entries(theirs)) {
        assert.equal((second.data as JsonObject)[key], value);
      }
    }),
  );
});

test("managers that apply by turns what they applied change nothing", () => {
  const first = serverSideApply(undefined, configMap({ a: "1" }), CONFIG_MAP, by("x"));
  const both = serverSideApply(first, configMap({ b: "1" }), CONFIG_MAP, by("a"));
  assert.deepEqual(serverSideApply(both, configMap({ a: "1" }), CONFIG_MAP, by("x")), both);
  assert.deepEqual(serverSideApply(both, configMap({ b: "1" }), CONFIG_MAP, by("a")), both);
});

test("paths survive being written as a tree", () => {
  const paths = new Set([
    '["f:spec"]',
    '["f:spec","f:a"]',
    '["f:spec","f:list","k:{\\"name\\":\\"x\\"}"]',
  ]);
  assert.deepEqual(fromTree(toTree(paths)), paths);
});
