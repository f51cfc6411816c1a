import assert from "node:assert/strict";
import { it } from "node:test";
import { FIELD_MANAGER } from "../reconcile/actions.ts";
import type { ObservedObject } from "../reconcile/observation.ts";
import { trimmed } from "./trim.ts";

const metadata = { name: "x", uid: "u", resourceVersion: "1", labels: { a: "b" } };

it("of a pod its labels and what its status says of readiness are kept", () => {
  const podAt = (seconds: number): ObservedObject => ({
    ...{ apiVersion: "v1", kind: "Pod", metadata, spec: { containers: [{ image: "x:1" }] } },
    status: {
      phase: "Running",
      conditions: [{ type: "Ready", status: "True", lastProbeTime: `00:00:${seconds}` }],
      containerStatuses: [{ image: "x:1", restartCount: 0, state: { running: {} } }],
    },
  });
  const kept = trimmed(podAt(10));
  assert.deepEqual(kept, trimmed(podAt(20)));
  assert.deepEqual([kept.metadata.labels, kept.spec], [{ a: "b" }, undefined]);
});

it("of a pod that fails it is kept why, and of what comes again and again no text", () => {
  const states = [
    { waiting: { reason: "CreateContainerConfigError", message: 'secret "x" not found' } },
    { waiting: { reason: "CreateContainerError", message: "id 4711 failed" } },
    { terminated: { exitCode: 137, reason: "OOMKilled", finishedAt: "00:00:01" } },
    { terminated: { exitCode: 0, reason: "Completed" } },
  ];
  const containerStatuses = states.map((state) => ({ state }));
  const pod = trimmed({ apiVersion: "v1", kind: "Pod", metadata, status: { containerStatuses } });
  assert.deepEqual(pod.status?.containerStatuses, [
    { state: states[0] },
    { state: { waiting: { reason: "CreateContainerError" } } },
    { state: { terminated: { exitCode: 137, reason: "OOMKilled" } } },
  ]);
});

it("of children it is kept which fields are the operator's, of the agents' job also what is in it", () => {
  const managedFields = [FIELD_MANAGER, "kubectl"].map((manager) => ({
    ...{ manager, operation: "Apply", fieldsV1: { "f:spec": {} } },
  }));
  const other = { manager: FIELD_MANAGER, operation: "Apply", subresource: "status" };
  const times = { time: "2026-01-01T00:00:00Z" };
  const annotations = { "moestro.dev/applied": "0a1b" };
  const written = [...managedFields.map((entry) => ({ ...entry, ...times })), other];
  const given = { ...metadata, annotations, managedFields: written };
  const content = { spec: { suspend: true }, data: { "plan.json": "{}" } };
  const kept = (kind: string) => trimmed({ apiVersion: "v1", kind, metadata: given, ...content });
  const [job, map] = [kept("Job"), kept("ConfigMap")];
  const ours = managedFields.slice(0, 1);
  assert.deepEqual(job.metadata.managedFields, ours);
  assert.deepEqual(job.spec, { suspend: true });
  const own = { ...metadata, annotations, managedFields: ours };
  assert.deepEqual(map, { apiVersion: "v1", kind: "ConfigMap", metadata: own });
});
