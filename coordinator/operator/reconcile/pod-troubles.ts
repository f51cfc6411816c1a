import { conditionsOf } from "./agents.ts";
import type { ObservedObject } from "./observation.ts";
import { isLive, isReady } from "./pods.ts";

const REASONS = [
  "QuotaExceeded",
  "PodsRefused",
  "ImagePullFailed",
  "ContainerNotMade",
  "OOMKilled",
  "AgentFailed",
  "PodEvicted",
  "Unschedulable",
] as const;

export interface Trouble {
  reason: (typeof REASONS)[number];
  message: string;
}

/** Whether a condition's reason is one of them. */
export function isTrouble(reason: string): boolean {
  return (REASONS as readonly string[]).includes(reason);
}

const IMAGE = new Set([
  "ErrImagePull",
  "ImagePullBackOff",
  "InvalidImageName",
  "ErrImageNeverPull",
]);

/** Kubernetes cannot start what the pod says. */
const NOT_MADE = new Set([
  "CreateContainerConfigError",
  "CreateContainerError",
  "RunContainerError",
  "CrashLoopBackOff",
]);

/**
 * What keeps pods from running, the worst first: of the first pod that has it. What is wrong now
 * comes before why a pod ended, which is only told while none has taken its place.
 */
export function troubleOf(
  pods: readonly ObservedObject[],
  warnings: readonly string[],
): Trouble | undefined {
  const named = pods.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const live = named.filter(isLive);
  const dead = named.filter((pod) => !isLive(pod));
  const evicted = without(dead, live);
  const failed = without(dead, live.filter(isReady));
  return (
    first(live, [imageTrouble, notMade, eviction, unschedulable]) ??
    first(failed, [ending]) ??
    first(evicted, [eviction]) ??
    refusal(warnings)
  );
}

function first(
  pods: readonly ObservedObject[],
  looks: readonly ((pod: ObservedObject) => Trouble | undefined)[],
): Trouble | undefined {
  return looks.flatMap((look) => pods.flatMap((pod) => look(pod) ?? []))[0];
}

/** Those of whose place none of the others has taken. */
function without(pods: readonly ObservedObject[], others: readonly ObservedObject[]) {
  const taken = new Set(others.map(placeOf));
  return pods.filter((pod) => !taken.has(placeOf(pod)));
}

function placeOf({ metadata: { name, labels } }: ObservedObject): string {
  return labels?.["batch.kubernetes.io/job-completion-index"] ?? name;
}

/** Of pods that could not be made; without their names, which are others with every try. */
function refusal([newest]: readonly string[]): Trouble | undefined {
  if (newest === undefined) return undefined;
  const why = newest.replace(/^Error creating: (pods "[^"]*" is forbidden: )?/, "");
  const isQuota = why.includes("exceeded quota");
  const message = `its pods cannot be made: ${why}`;
  return { reason: isQuota ? "QuotaExceeded" : "PodsRefused", message };
}

interface ContainerStatus {
  image?: string;
  state?: {
    waiting?: { reason?: string; message?: string };
    terminated?: { exitCode: number; reason?: string };
  };
}

function containersOf({ status }: ObservedObject): ContainerStatus[] {
  const statuses = [status?.initContainerStatuses, status?.containerStatuses];
  return statuses.flatMap((list) => (list as ContainerStatus[] | undefined) ?? []);
}

function imageTrouble(pod: ObservedObject): Trouble | undefined {
  const bad = containersOf(pod).find(({ state }) => IMAGE.has(state?.waiting?.reason ?? ""));
  if (bad === undefined) return undefined;
  // Without Kubernetes' text, which changes with every try.
  const message = `pod ${pod.metadata.name}: image ${bad.image ?? "of its agent"} cannot be pulled; correct it, or give the pods an imagePullSecret`;
  return { reason: "ImagePullFailed", message };
}

function notMade(pod: ObservedObject): Trouble | undefined {
  const bad = containersOf(pod).find(({ state }) => NOT_MADE.has(state?.waiting?.reason ?? ""));
  if (bad === undefined) return undefined;
  const { reason, message } = bad.state?.waiting ?? {};
  const why = message === undefined ? reason : `${reason}: ${message}`;
  return {
    reason: "ContainerNotMade",
    message: `pod ${pod.metadata.name}: its container does not start (${why}); correct spec.template; kubectl describe pod says more`,
  };
}

/** Of a pod that failed by itself, not by a drain. */
function ending(pod: ObservedObject): Trouble | undefined {
  if (eviction(pod) !== undefined) return undefined;
  const ended = containersOf(pod).flatMap(({ state }) => state?.terminated ?? [])[0];
  if (ended === undefined) return undefined;
  const { name } = pod.metadata;
  if (ended.reason === "OOMKilled") {
    const message = `pod ${name} was killed for want of memory; give its container a higher limit in spec.template`;
    return { reason: "OOMKilled", message };
  }
  const message = `pod ${name} ended with exit code ${ended.exitCode}, and is made again; see kubectl logs ${name}`;
  return { reason: "AgentFailed", message };
}

function eviction(pod: ObservedObject): Trouble | undefined {
  const hit = conditionsOf(pod).find(
    ({ type, status }) => type === "DisruptionTarget" && status === "True",
  );
  if (hit === undefined) return undefined;
  const message = `pod ${pod.metadata.name} was taken away (${hit.reason ?? "disruption"}); another takes its place`;
  return { reason: "PodEvicted", message };
}

function unschedulable(pod: ObservedObject): Trouble | undefined {
  const hit = conditionsOf(pod).find(
    ({ type, status, reason }) =>
      type === "PodScheduled" && status === "False" && reason === "Unschedulable",
  );
  if (hit === undefined) return undefined;
  return {
    reason: "Unschedulable",
    message: `pod ${pod.metadata.name} finds no node; see kubectl describe pod`,
  };
}
