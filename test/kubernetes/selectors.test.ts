import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "./json.ts";
import { matchesFields, matchesLabels, matchesSelector, parseSelector } from "./selectors.ts";

const POD: KubeObject = {
  ...{ apiVersion: "v1", kind: "Pod", status: { phase: "Running" } },
  metadata: { name: "p", labels: { app: "a", "x.y/z": "1" } },
};

test("label selectors are read as kubectl writes them", () => {
  const matches = (text: string): boolean => matchesLabels(POD, parseSelector(text));
  for (const text of ["", "app=a", "app==a,x.y/z", "app in (a, b),!no", "no!=1", "no notin (1)"]) {
    assert.ok(matches(text), text);
  }
  for (const text of ["app=b", "no", "!app", "app notin (a)", "app in (b,c)"]) {
    assert.ok(!matches(text), text);
  }
  assert.throws(() => parseSelector("a=b=c"), /unable to parse requirement/);
});

test("field selectors reach any field, and absent is empty", () => {
  assert.ok(matchesFields(POD, parseSelector("status.phase=Running,spec.nodeName=")));
  assert.ok(!matchesFields(POD, parseSelector("metadata.name!=p")));
});

test("a selector in an object matches by labels and expressions, and none matches nothing", () => {
  const matchExpressions = [{ key: "app", operator: "In", values: ["a"] }];
  assert.ok(matchesSelector({ matchLabels: { app: "a" }, matchExpressions }, { app: "a" }));
  const absent = [{ key: "app", operator: "DoesNotExist" }];
  assert.ok(!matchesSelector({ matchExpressions: absent }, { app: "a" }));
  assert.ok(!matchesSelector(undefined, { app: "a" }));
});
