import assert from "node:assert/strict";
import type { Action } from "./actions.ts";
import { START_MS, seenOf } from "./job-fixture.ts";
import type { ConditionType, JobStatus } from "./job-status.ts";
import { ModelCluster } from "./model-cluster-fixture.ts";
import type { Observation, ObservedJob, ObservedObject } from "./observation.ts";
import { reconcile } from "./reconcile.ts";

export type Own = Record<string, unknown>;

export const kinds = (actions: readonly Action[]) => actions.map(({ kind }) => kind);

export function statusIn(actions: readonly Action[]): JobStatus | undefined {
  return actions.flatMap((action) => (action.kind === "patchStatus" ? [action.status] : []))[0];
}

export function condition(actions: readonly Action[], type: ConditionType) {
  const found = statusIn(actions)?.conditions?.find((one) => one.type === type);
  assert.ok(found, type);
  return found;
}

/** The children of a job after the operator's first look, and more looks. */
export function cluster(job: ObservedJob, isWebhookThere = false) {
  const cluster = new ModelCluster(() => START_MS, isWebhookThere);
  const look = (more: Partial<Observation> = {}) => {
    const children = cluster.children(job.metadata.uid);
    const { actions, lookAgainMs } = reconcile(seenOf(job, { children, ...more }));
    for (const action of actions) {
      if (action.kind === "applyChild") cluster.apply(action.child, action.resourceVersion);
      if (action.kind === "deleteChild") cluster.delete(action.child);
      if (action.kind === "patchStatus") job.status = action.status;
    }
    return { actions, lookAgainMs };
  };
  const agents = () => {
    const found = cluster.children(job.metadata.uid).find(({ kind }) => kind === "Job");
    return found as ObservedObject & { spec: { suspend: boolean } & Own };
  };
  return { look, agents, cluster };
}

export function podWith(status: Own, name = "tiny-agents-0-abcde"): ObservedObject {
  const metadata = { name, uid: name, resourceVersion: "1" };
  return { apiVersion: "v1", kind: "Pod", metadata, status };
}
