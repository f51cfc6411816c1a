import { isDeepStrictEqual } from "node:util";
import { podSelector } from "../kubernetes/children/identity.ts";
import { CONDITION_TYPES } from "../kubernetes/crd/status-schema.ts";
import type { MoETrainingJob } from "../kubernetes/moe-training-job.ts";
import type { Action } from "./actions.ts";
import { conditionsNow, type Said } from "./condition-words.ts";
import { type Condition, type ConditionType, isTrue, type JobStatus } from "./job-status.ts";
import type { Observation } from "./observation.ts";
import { isLive, isReady } from "./pods.ts";
import type { Standing } from "./standing.ts";
import { summaryOf } from "./summary-of.ts";

/** The summary of a run that goes on changes all the time; nobody needs it this often. */
export const SUMMARY_MS = 10_000;

/** What the definition of the status allows. */
const MAX_MESSAGE_LENGTH = 32_768;

/** The one status write of a look, if there is anything to say; and when to look again for it. */
export function planStatus(
  seen: Observation,
  standing: Standing,
): { actions: Action[]; lookAgainMs?: number } {
  const { nowMs, job, summaryAtMs, run } = seen;
  const old = job.status ?? {};
  const next = summaryOf(run) ?? old.summary;
  const isNewSummary = !isDeepStrictEqual(next, old.summary);
  const waitMs = summaryAtMs === undefined ? 0 : summaryAtMs + SUMMARY_MS - nowMs;
  const hasNewSummary = isNewSummary && (waitMs <= 0 || standing.isOver);
  const status = statusNow(seen, standing, hasNewSummary ? next : old.summary);
  const later = isNewSummary && !hasNewSummary ? { lookAgainMs: waitMs } : {};
  if (isDeepStrictEqual(status, old)) return { actions: [], ...later };
  const { resourceVersion } = job.metadata;
  return { actions: [{ kind: "patchStatus", status, resourceVersion, hasNewSummary }], ...later };
}

function statusNow(
  seen: Observation,
  standing: Standing,
  summary: JobStatus["summary"],
): JobStatus {
  const { job, run, pods } = seen;
  const { status: old = {} } = job;
  const { restarts = old.restarts ?? 0, countedRestarts = old.restartsCounted ?? 0 } = run ?? {};
  const said = conditionsNow(seen, standing);
  const conditions = CONDITION_TYPES.map((type) => conditionOf(type, said[type], seen));
  // Written with the condition at once, and only over the status that was seen: counted once.
  const isAdmittedNow = said.Admitted.status === "True" && !isTrue(old, "Admitted");
  return {
    conditions,
    observedGeneration: job.metadata.generation,
    executionAttempt: (old.executionAttempt ?? 0) + (isAdmittedNow ? 1 : 0),
    restarts: Math.max(restarts, old.restarts ?? 0),
    restartsCounted: Math.max(countedRestarts, old.restartsCounted ?? 0),
    nodes: pods.filter((pod) => isLive(pod) && isReady(pod)).length,
    selector: selectorOf(seen),
    ...(summary === undefined ? {} : { summary }),
  };
}

/** Since when only changes when the status does. */
function conditionOf(type: ConditionType, said: Said, { nowMs, job }: Observation): Condition {
  const old = job.status?.conditions?.find((one) => one.type === type);
  const isSame = old?.status === said.status;
  return {
    ...{ type, ...said, message: said.message.slice(0, MAX_MESSAGE_LENGTH) },
    observedGeneration: job.metadata.generation,
    lastTransitionTime: isSame ? old.lastTransitionTime : timeOf(nowMs),
  };
}

function timeOf(nowMs: number): string {
  return new Date(nowMs).toISOString().replace(/\.\d+Z$/, "Z");
}

function selectorOf({ job }: Observation): string {
  const { name } = job.metadata;
  const labels = podSelector({ metadata: { name } } as MoETrainingJob);
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}
