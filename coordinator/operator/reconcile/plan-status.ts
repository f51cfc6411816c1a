import { isDeepStrictEqual } from "node:util";
import { podSelector } from "../../kubernetes/children/identity.ts";
import { CONDITION_TYPES, MAX_MESSAGE_LENGTH } from "../../kubernetes/crd/status-schema.ts";
import type { MoETrainingJob } from "../../kubernetes/moe-training-job.ts";
import type { Action } from "./actions.ts";
import { conditionsNow, type Said } from "./condition-words.ts";
import { type Condition, type ConditionType, isTrue, type JobStatus } from "./job-status.ts";
import type { Observation } from "./observation.ts";
import { isTrouble } from "./pod-troubles.ts";
import { isLive, isReady } from "./pods.ts";
import type { Standing } from "./standing.ts";
import { summaryOf } from "./summary-of.ts";

/** Figures of a run that goes on change all the time; nobody needs them this often. */
export const SUMMARY_MS = 10_000;

/** The STATE of a job that has no run, because of its spec. */
const REFUSED = "refused";

/**
 * The one status write of a look, if there is anything to say, and when to look again for it.
 * How the job stands is told at once, and all figures with it.
 */
export function planStatus(
  seen: Observation,
  standing: Standing,
): { actions: Action[]; lookAgainMs?: number } {
  const { nowMs, job, statusAtMs } = seen;
  const status = statusNow(seen, standing);
  const old = ownPart(job.status, status);
  if (isDeepStrictEqual(status, old)) return { actions: [] };
  const waitMs = statusAtMs === undefined ? 0 : statusAtMs + SUMMARY_MS - nowMs;
  if (waitMs > 0 && isDeepStrictEqual(headlinesOf(status), headlinesOf(old))) {
    return { actions: [], lookAgainMs: waitMs };
  }
  const { resourceVersion } = job.metadata;
  return { actions: [{ kind: "patchStatus", status, resourceVersion }] };
}

/** What of a status is the operator's to say: others may keep conditions of theirs there. */
function ownPart(found: JobStatus = {}, own: JobStatus): JobStatus {
  const entries = Object.entries(found).filter(([key]) => Object.hasOwn(own, key));
  const conditions = CONDITION_TYPES.flatMap(
    (type) => found.conditions?.find((one) => one.type === type) ?? [],
  );
  return { ...Object.fromEntries(entries), ...(conditions.length === 0 ? {} : { conditions }) };
}

/** What people and programs wait for: all but figures, texts, and where a run is on its way. */
function headlinesOf({ summary: _, nodes: __, selector: ___, ...status }: JobStatus) {
  const conditions = status.conditions?.map(({ type, status: is, reason }) => {
    const isOnTheWay = type === "Running" && is === "False" && !isTrouble(reason);
    return { type, is, reason: isOnTheWay ? undefined : reason };
  });
  return { ...status, conditions };
}

/** Of a job whose run is not submitted yet. */
const PENDING = { state: "pending" };

function statusNow(seen: Observation, standing: Standing): JobStatus {
  const { job, run, pods } = seen;
  const { status: old = {} } = job;
  const { restarts = old.restarts ?? 0, countedRestarts = old.restartsCounted ?? 0 } = run ?? {};
  const said = conditionsNow(seen, standing);
  const conditions = CONDITION_TYPES.map((type) => conditionOf(type, said[type], seen));
  const isRefused = said.Failed.status === "True" && !standing.isOver;
  const before = old.summary?.state === REFUSED ? undefined : old.summary;
  const summary = isRefused ? { state: REFUSED } : (summaryOf(run, before) ?? before ?? PENDING);
  // Written with the condition at once, and only over the status that was seen: counted once.
  const isAdmittedNow = said.Admitted.status === "True" && !isTrue(old, "Admitted");
  return {
    conditions,
    observedGeneration: job.metadata.generation,
    executionAttempt: (old.executionAttempt ?? 0) + (isAdmittedNow ? 1 : 0),
    restarts: Math.max(restarts, old.restarts ?? 0),
    restartsCounted: Math.max(countedRestarts, old.restartsCounted ?? 0),
    // Those of a job that is over are being given back.
    nodes: standing.isOver ? 0 : pods.filter((pod) => isLive(pod) && isReady(pod)).length,
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
