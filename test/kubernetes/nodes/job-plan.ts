import type { KubeObject } from "../json.ts";
import { objectsAt, textAt } from "../json.ts";
import { indexOf, isOver, type Ledger } from "./job-ledger.ts";

/** What the Job controller does next. */
export type JobPlan = {
  /** Indexes to make pods for; undefined for a pod of a Job that is not Indexed. */
  create: (number | undefined)[];
  remove: KubeObject[];
  outcome: { type: "Complete" | "Failed"; reason: string; message: string } | undefined;
};

/** Which pods a Job needs and which it does not, and whether it is over. Pure. */
export function planJob(
  job: KubeObject,
  pods: readonly KubeObject[],
  ledger: Ledger,
  facts: { nowMs: number; startedMs: number },
): JobPlan {
  const spec = job.spec ?? {};
  const alive = pods.filter((pod) => !isOver(pod) && pod.metadata.deletionTimestamp === undefined);
  const outcome = outcomeOf(job, ledger, facts);
  if (outcome || spec.suspend === true) return { create: [], remove: alive, outcome };
  const parallelism = Number(spec.parallelism ?? 1);
  const isIndexed = spec.completionMode === "Indexed";
  const completions = Number(spec.completions ?? Number.POSITIVE_INFINITY);
  const isExtra = (pod: KubeObject, position: number): boolean =>
    position >= parallelism || (isIndexed && (indexOf(pod) ?? 0) >= completions);
  const sorted = alive.toSorted((a, b) => (indexOf(a) ?? 0) - (indexOf(b) ?? 0));
  const remove = sorted.filter(isExtra);
  const kept = sorted.length - remove.length;
  // A pod that is still ending keeps its place until it has, where the policy says so.
  const ending = pods.filter(
    (pod) =>
      !isOver(pod) &&
      pod.metadata.deletionTimestamp !== undefined &&
      spec.podReplacementPolicy === "Failed",
  );
  const room = parallelism - kept - ending.length;
  if (!isIndexed) {
    const left = completions - ledger.numSucceeded - kept;
    const count = Math.max(0, Math.min(room, left));
    return { create: Array.from({ length: count }, () => undefined), remove, outcome };
  }
  const taken = new Set([...alive, ...ending].map(indexOf));
  const free = Array.from({ length: completions }, (_, index) => index).filter(
    (index) => !taken.has(index) && !ledger.completed.has(index) && !ledger.failed.has(index),
  );
  return { create: free.slice(0, Math.max(0, room)), remove, outcome };
}

function outcomeOf(
  job: KubeObject,
  ledger: Ledger,
  { nowMs, startedMs }: { nowMs: number; startedMs: number },
): JobPlan["outcome"] {
  const spec = job.spec ?? {};
  if (ledger.failure) return { type: "Failed", ...ledger.failure };
  const deadline = Number(spec.activeDeadlineSeconds ?? Number.POSITIVE_INFINITY) * 1000;
  if (spec.suspend !== true && nowMs - startedMs >= deadline) {
    const message = "Job was active longer than specified deadline";
    return { type: "Failed", reason: "DeadlineExceeded", message };
  }
  const completions = Number(spec.completions ?? 1);
  const isIndexed = spec.completionMode === "Indexed";
  const done = isIndexed
    ? [...ledger.completed].filter((index) => index < completions).length
    : ledger.numSucceeded;
  const failed = isIndexed ? [...ledger.failed].filter((index) => index < completions).length : 0;
  if (done + failed < completions) return undefined;
  if (failed > 0) {
    return { type: "Failed", reason: "FailedIndexes", message: "Job has failed indexes" };
  }
  const message = "Reached expected number of succeeded pods";
  return { type: "Complete", reason: "CompletionsReached", message };
}

/** The condition that a Job is over by; undefined while it is not. */
export function endOf(job: KubeObject): string | undefined {
  const found = objectsAt(job, "status", "conditions").find(
    ({ type, status }) => (type === "Complete" || type === "Failed") && status === "True",
  );
  return found && textAt(found, "type");
}
