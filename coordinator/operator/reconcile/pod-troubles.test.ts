import assert from "node:assert/strict";
import { it } from "node:test";
import type { ObservedObject } from "./observation.ts";
import { troubleOf } from "./pod-troubles.ts";

type Status = Record<string, unknown>;

const INDEX = "batch.kubernetes.io/job-completion-index";
const READY = { phase: "Running", conditions: [{ type: "Ready", status: "True" }] };
const GONE = { type: "DisruptionTarget", status: "True", reason: "EvictionByEvictionAPI" };
const EVICTED = { phase: "Failed", conditions: [GONE] };
const FULL = {
  ...{ phase: "Pending" },
  conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable" }],
};

function pod(index: number, name: string, status: Status): ObservedObject {
  const metadata = { name, uid: name, resourceVersion: "1", labels: { [INDEX]: String(index) } };
  return { apiVersion: "v1", kind: "Pod", metadata, status };
}

const waiting = (reason: string, message?: string) => ({
  ...{ phase: "Pending" },
  containerStatuses: [{ state: { waiting: { reason, message } } }],
});
const ended = (exitCode: number, reason: string) => ({
  ...{ phase: "Failed" },
  containerStatuses: [{ state: { terminated: { exitCode, reason } } }],
});
const reasonOf = (...pods: ObservedObject[]) => troubleOf(pods, [])?.reason;

it("a pod that was evicted is told until another takes its place", () => {
  const dead = pod(0, "a", EVICTED);
  assert.equal(reasonOf(dead, pod(1, "c", READY)), "PodEvicted");
  assert.equal(reasonOf(dead, pod(0, "b", { phase: "Pending" })), undefined);
  assert.equal(reasonOf(dead, pod(0, "b", FULL)), "Unschedulable");
  assert.equal(reasonOf(dead, pod(1, "c", FULL)), "Unschedulable");
});

it("a container that cannot be made is told with what Kubernetes misses", () => {
  const why = 'secret "x" not found';
  const trouble = troubleOf([pod(0, "a", waiting("CreateContainerConfigError", why))], []);
  assert.equal(trouble?.reason, "ContainerNotMade");
  assert.match(
    trouble?.message ?? "",
    /^pod a: .*CreateContainerConfigError: secret "x" not found/,
  );
  for (const reason of ["CreateContainerError", "RunContainerError"]) {
    assert.equal(reasonOf(pod(0, "a", waiting(reason))), "ContainerNotMade");
  }
});

it("an agent that ends again and again is told, by its exit code or for want of memory", () => {
  const failed = pod(0, "a", ended(1, "Error"));
  const trouble = troubleOf([failed], []);
  assert.equal(trouble?.reason, "AgentFailed");
  assert.match(trouble?.message ?? "", /exit code 1, .* kubectl logs a$/);
  assert.equal(reasonOf(failed, pod(0, "b", { phase: "Pending" })), "AgentFailed");
  assert.equal(reasonOf(failed, pod(0, "b", READY)), undefined);
  assert.equal(reasonOf(pod(0, "a", ended(137, "OOMKilled"))), "OOMKilled");
  assert.equal(reasonOf(pod(0, "a", { ...ended(143, "Error"), ...EVICTED })), "PodEvicted");
});
