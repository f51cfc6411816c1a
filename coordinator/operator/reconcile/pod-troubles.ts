import { conditionsOf } from "./agents.ts";
import type { ObservedObject } from "./observation.ts";

const REASONS = [
  "QuotaExceeded",
  "PodsRefused",
  "ImagePullFailed",
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

/** What keeps pods from running, the worst first: of the first pod that has it. */
export function troubleOf(
  pods: readonly ObservedObject[],
  warnings: readonly string[],
): Trouble | undefined {
  const named = pods.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  for (const look of [imageTrouble, eviction, unschedulable]) {
    const [found] = named.flatMap((pod) => look(pod) ?? []);
    if (found !== undefined) return found;
  }
  return refusal(warnings);
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
  state?: { waiting?: { reason?: string; message?: string } };
}

function imageTrouble({ metadata, status }: ObservedObject): Trouble | undefined {
  const statuses = [status?.initContainerStatuses, status?.containerStatuses];
  const containers = statuses.flatMap((list) => (list as ContainerStatus[] | undefined) ?? []);
  const bad = containers.find(({ state }) => IMAGE.has(state?.waiting?.reason ?? ""));
  if (bad === undefined) return undefined;
  // Without Kubernetes' text, which changes with every try.
  const message = `pod ${metadata.name}: image ${bad.image ?? "of its agent"} cannot be pulled; correct it, or give the pods an imagePullSecret`;
  return { reason: "ImagePullFailed", message };
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
