import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { childrenOf } from "../../kubernetes/children/children-of.ts";
import { CHILDREN_OPTIONS } from "../../kubernetes/children/options.ts";
import { FIELD_MANAGER } from "./actions.ts";
import { isStillOwn } from "./is-still-own.ts";
import { jobWith, START_MS, verdictOf } from "./job-fixture.ts";
import { ModelCluster } from "./model-cluster-fixture.ts";
import type { ManagedFields, ObservedObject } from "./observation.ts";

const owner = { kind: "MoETrainingJob", name: "x", uid: "u" };
const reference = { apiVersion: "moestro.dev/v1alpha1", ...owner } as const;
const child = {
  ...{ apiVersion: "v1", kind: "ConfigMap" },
  metadata: {
    ...{ name: "x", namespace: "n", labels: { a: "1" } },
    ownerReferences: [{ ...reference, controller: true, blockOwnerDeletion: true } as const],
  },
  data: { plan: "{}" },
};

function ownedBy(...managedFields: ManagedFields[]): ObservedObject {
  return {
    ...child,
    metadata: { ...child.metadata, uid: "c", resourceVersion: "1", managedFields },
  };
}

const entry = (operation: string, fieldsV1: Record<string, unknown>) => ({
  ...{ manager: FIELD_MANAGER, operation, fieldsV1 },
});
const METADATA = {
  "f:labels": { ".": {}, "f:a": {} },
  "f:ownerReferences": { ".": {}, 'k:{"uid":"u"}': {} },
};

it("what a child says is owned by applies and other writes together, whole or in parts", () => {
  const data = { "f:data": { "f:plan": {} } };
  const parts = ownedBy(entry("Apply", { "f:metadata": METADATA }), entry("Update", data));
  assert.ok(isStillOwn(child, parts));
  const whole = ownedBy(entry("Apply", { "f:metadata": METADATA, "f:data": {} }));
  assert.ok(isStillOwn(child, whole));
});

it("a place whose value others own is not owned, nor what another or the status says", () => {
  const fields = { "f:metadata": METADATA, "f:data": { ".": {} } };
  const data = { "f:data": { "f:plan": {} } };
  const others = [
    { ...entry("Apply", data), manager: "kubectl" },
    { ...entry("Apply", data), subresource: "status" },
  ];
  for (const other of others) {
    assert.ok(!isStillOwn(child, ownedBy(entry("Apply", fields), other)));
  }
  assert.ok(!isStillOwn(child, ownedBy()));
  const { managedFields: _, ...metadata } = ownedBy().metadata;
  assert.ok(!isStillOwn(child, { ...child, metadata }));
});

const anyJob = fc.record({
  childKind: fc.constantFrom("Job", "JobSet"),
  queueName: fc.constantFrom(undefined, "research"),
  ttlSecondsAfterFinished: fc.constantFrom(undefined, 60),
  activeDeadlineSeconds: fc.constantFrom(undefined, 60),
  nodes: fc.constantFrom({ max: 1 }, { min: 1, max: 2 }),
  template: fc.constantFrom(undefined, {
    spec: {
      containers: [{ name: "agent", resources: { requests: { cpu: "1000m", memory: "2048Mi" } } }],
      ...{ tolerations: [{ key: "own", operator: "Exists" }], nodeSelector: { pool: "a" } },
    },
  }),
});

it("what was just applied is the operator's own, of every child of every job", () =>
  fc.assert(
    fc.property(anyJob, (own) => {
      const { metadata, spec } = jobWith(own);
      const verdict = verdictOf(spec);
      assert.ok(verdict.kind === "planned");
      const job = { metadata, spec: verdict.spec };
      const cluster = new ModelCluster(() => START_MS, false);
      const children = childrenOf(job, { plan: "{}", isBorn: false }, CHILDREN_OPTIONS);
      for (const each of children) cluster.apply(each, undefined);
      const found = cluster.children(metadata.uid);
      assert.equal(found.length, children.length);
      for (const object of found) {
        const said = children.find(({ kind }) => kind === object.kind) ?? assert.fail();
        assert.ok(isStillOwn(said, object), object.kind);
      }
    }),
  ));
