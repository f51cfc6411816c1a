import assert from "node:assert/strict";
import { it } from "node:test";
import { childOf, JOB_LABEL, JOB_UID } from "../../kubernetes/children/identity.ts";
import type { OwnerReference } from "../../kubernetes/children/kubernetes-object.ts";
import type { MoETrainingJob } from "../../kubernetes/moe-training-job.ts";
import { FIELD_MANAGER } from "../reconcile/actions.ts";
import type { ObservedObject } from "../reconcile/observation.ts";
import { isHidden } from "./hidden-child.ts";

const job = { metadata: { name: "tiny", namespace: "n", uid: "now" } } as MoETrainingJob;
const child = childOf(job, { apiVersion: "batch/v1", kind: "Job", name: "tiny-agents" }, {});
const [owner = assert.fail()] = child.metadata.ownerReferences ?? [];

/** The child as it is there, after something was done to it. */
function found(change: Partial<ObservedObject["metadata"]>): ObservedObject {
  const managedFields = [{ manager: FIELD_MANAGER, operation: "Apply" }];
  const own = { uid: "x", resourceVersion: "1", managedFields };
  return { ...child, metadata: { ...child.metadata, ...own, ...change } };
}

const orphaned = { ownerReferences: [] };

it("a child of the job without the label, or without the owner, does not show", () => {
  const { [JOB_LABEL]: _, ...labels } = child.metadata.labels ?? {};
  assert.ok(isHidden(child, found({ labels })));
  assert.ok(isHidden(child, found(orphaned)));
  assert.ok(isHidden(child, found({ ...orphaned, labels: {} })));
  const other = { ...owner, uid: "other", controller: false } as unknown as OwnerReference;
  assert.ok(isHidden(child, found({ ownerReferences: [other] })));
});

it("one that shows, or goes, is not hidden", () => {
  assert.ok(!isHidden(child, found({})));
  assert.ok(!isHidden(child, found({ ...orphaned, deletionTimestamp: "2026-01-01T00:00:00Z" })));
});

it("one without an owner is the job's only with its UID, and if the operator made it", () => {
  const annotations = { [JOB_UID]: "before" };
  assert.ok(!isHidden(child, found({ ...orphaned, annotations })));
  // As releases before made them, and those of other programs.
  assert.ok(!isHidden(child, found({ ...orphaned, annotations: {} })));
  const managedFields = [{ manager: "kubectl", operation: "Apply" }];
  assert.ok(!isHidden(child, found({ ...orphaned, managedFields })));
});

it("one that somebody else controls is theirs", () => {
  assert.ok(!isHidden(child, found({ ownerReferences: [{ ...owner, uid: "other" }] })));
});
