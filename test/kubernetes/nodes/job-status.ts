import { type JsonObject, type KubeObject, objectsAt } from "../json.ts";
import { isOver, type Ledger, rangesOf } from "./job-ledger.ts";
import type { JobPlan } from "./job-plan.ts";

/** A Job's status out of its pods and its ledger. Pure. */
export function jobStatus(
  job: KubeObject,
  pods: readonly KubeObject[],
  ledger: Ledger,
  outcome: JobPlan["outcome"],
  now: string,
): JsonObject {
  const isGoing = (pod: KubeObject): boolean => pod.metadata.deletionTimestamp !== undefined;
  const living = pods.filter((pod) => !isOver(pod));
  const active = living.filter((pod) => !isGoing(pod));
  const ready = active.filter((pod) =>
    objectsAt(pod, "status", "conditions").some(
      ({ type, status }) => type === "Ready" && status === "True",
    ),
  );
  const isSuspended = job.spec?.suspend === true;
  // The final condition is set when the last pod has gone.
  const isOverNow = outcome !== undefined && living.length === 0;
  const status: JsonObject = {
    ...job.status,
    conditions: conditionsOf(job, outcome, isOverNow, now),
    active: active.length,
    ready: ready.length,
    terminating: living.length - active.length,
    succeeded: ledger.numSucceeded,
    failed: ledger.numFailed,
    uncountedTerminatedPods: {},
  };
  for (const field of ["active", "succeeded", "failed"])
    if (status[field] === 0) delete status[field];
  if (job.spec?.completionMode === "Indexed" && ledger.completed.size > 0) {
    status.completedIndexes = rangesOf(ledger.completed);
  }
  if (job.spec?.backoffLimitPerIndex !== undefined) status.failedIndexes = rangesOf(ledger.failed);
  if (isSuspended) delete status.startTime;
  else status.startTime ??= now;
  if (isOverNow && outcome.type === "Complete") status.completionTime ??= now;
  return status;
}

function conditionsOf(
  job: KubeObject,
  outcome: JobPlan["outcome"],
  isOverNow: boolean,
  now: string,
): JsonObject[] {
  let conditions = objectsAt(job, "status", "conditions");
  const set = (type: string, status: "True" | "False", reason: string, message: string): void => {
    const old = conditions.find((each) => each.type === type);
    if (old?.status === status) return;
    const times = { lastProbeTime: now, lastTransitionTime: now };
    const added = { type, status, ...times, reason, message };
    conditions = [...conditions.filter((each) => each !== old), added];
  };
  const wasSuspended = conditions.some(
    ({ type, status }) => type === "Suspended" && status === "True",
  );
  if (outcome) {
    const { type, reason, message } = outcome;
    set(type === "Complete" ? "SuccessCriteriaMet" : "FailureTarget", "True", reason, message);
    if (isOverNow) set(type, "True", reason, message);
  } else if (job.spec?.suspend === true) set("Suspended", "True", "JobSuspended", "Job suspended");
  else if (wasSuspended) set("Suspended", "False", "JobResumed", "Job resumed");
  return conditions;
}
