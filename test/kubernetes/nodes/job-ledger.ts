import { type KubeObject, textAt } from "../json.ts";
import { judge } from "./failure-policy.ts";

export const INDEX = "batch.kubernetes.io/job-completion-index";

/** What became of a Job's pods so far. Each pod counts once, whatever is seen of it. */
export type Ledger = {
  counted: Set<string>;
  numSucceeded: number;
  numFailed: number;
  completed: Set<number>;
  failed: Set<number>;
  failuresOf: Map<number, number>;
  /** Why the Job as a whole has to fail. */
  failure: { reason: string; message: string } | undefined;
  lastFailureMs: number;
};

export function newLedger(): Ledger {
  return {
    ...{ counted: new Set(), numSucceeded: 0, numFailed: 0, failure: undefined },
    ...{ completed: new Set(), failed: new Set(), failuresOf: new Map() },
    lastFailureMs: Number.NEGATIVE_INFINITY,
  };
}

export function indexOf(pod: KubeObject): number | undefined {
  const text = pod.metadata.annotations?.[INDEX];
  return text === undefined ? undefined : Number(text);
}

export function isOver(pod: KubeObject): boolean {
  return ["Succeeded", "Failed"].includes(textAt(pod, "status", "phase"));
}

/** Whether a pod that ends counts as failed before its processes are gone. */
function replacesEarly(job: KubeObject): boolean {
  return job.spec?.podReplacementPolicy !== "Failed";
}

/** Enters a pod into the ledger once it has ended. */
export function enter(
  ledger: Ledger,
  job: KubeObject,
  pod: KubeObject,
  facts: { isGone: boolean; nowMs: number },
): void {
  const { uid = "", deletionTimestamp } = pod.metadata;
  const isGoing = deletionTimestamp !== undefined && replacesEarly(job);
  if (ledger.counted.has(uid) || !(isOver(pod) || facts.isGone || isGoing)) return;
  ledger.counted.add(uid);
  const index = indexOf(pod);
  if (textAt(pod, "status", "phase") === "Succeeded") {
    ledger.numSucceeded += 1;
    if (index !== undefined) ledger.completed.add(index);
    return;
  }
  // An index that the Job has no longer does not count.
  if (index !== undefined && index >= Number(job.spec?.completions)) return;
  // Pods that a suspension ends are no failures.
  if (job.spec?.suspend === true && deletionTimestamp !== undefined) return;
  const { action, message } = judge(job, pod);
  if (action === "Ignore") return;
  ledger.numFailed += 1;
  ledger.lastFailureMs = facts.nowMs;
  if (action === "FailJob") ledger.failure ??= { reason: "PodFailurePolicy", message };
  const limit = job.spec?.backoffLimitPerIndex;
  if (index !== undefined && typeof limit === "number") {
    const numFailures = (ledger.failuresOf.get(index) ?? 0) + 1;
    ledger.failuresOf.set(index, numFailures);
    if (numFailures > limit || action === "FailIndex") ledger.failed.add(index);
  }
  if (ledger.numFailed > Number(job.spec?.backoffLimit ?? 6)) {
    const why = "Job has reached the specified backoff limit";
    ledger.failure ??= { reason: "BackoffLimitExceeded", message: why };
  }
  const most = job.spec?.maxFailedIndexes;
  if (typeof most === "number" && ledger.failed.size > most) {
    const why = "Job has exceeded the specified maximal number of failed indexes";
    ledger.failure ??= { reason: "MaxFailedIndexesExceeded", message: why };
  }
}

/** `0-2,4`. */
export function rangesOf(indexes: Iterable<number>): string {
  const sorted = [...indexes].sort((a, b) => a - b);
  const ranges: [number, number][] = [];
  for (const index of sorted) {
    const last = ranges.at(-1);
    if (last && last[1] === index - 1) last[1] = index;
    else ranges.push([index, index]);
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(",");
}
