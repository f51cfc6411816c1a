import type { KubernetesObject } from "../../kubernetes/children/kubernetes-object.ts";
import type { Action } from "./actions.ts";
import { type Agents, STARTED_BY, SUSPEND_SAID } from "./agents.ts";
import { annotated, digest, isApplied, marked } from "./applied-mark.ts";
import { referenceOf } from "./give-back.ts";
import { isStillOwn } from "./is-still-own.ts";
import type { Observation } from "./observation.ts";
import { ownFields } from "./own-fields.ts";
import { isLive } from "./pods.ts";
import type { Standing } from "./standing.ts";

/** What of its spec cannot change while pods are there. */
const FROZEN = { Job: "template", JobSet: "replicatedJobs" } as const;
const PODS = "moestro.dev/pods";

type Content = Record<string, unknown>;

/**
 * The job that makes the pods: made once, and started only when nothing holds it back. Its pods
 * are left as they are while there are some, whatever a new spec or a new release says of them:
 * training goes on. They are made anew when they were suspended.
 *
 * @param wanted the child as `childrenOf` makes it
 */
export function planAgents(
  wanted: KubernetesObject,
  seen: Observation,
  standing: Standing,
): Action[] {
  const { agents, isHeld, queueName } = standing;
  const key = FROZEN[wanted.kind as keyof typeof FROZEN];
  const { suspend: _, [key]: pods, ...shell } = wanted.spec as Content;
  const mark = digest(pods);
  if (agents === undefined) {
    // Made when it is to run: only then does it show whether others hold such jobs back.
    if (isHeld) return [];
    const isQueued = queueName !== undefined;
    const child = childSaying(wanted, { ...shell, [key]: pods }, mark, {
      suspend: isQueued,
      startedBy: isQueued ? "queue" : "moestro",
    });
    return [{ kind: "applyChild", child }];
  }
  const { object, startedBy } = agents;
  const known = object.metadata.annotations?.[PODS];
  const isOutdated = known !== mark || agents.hasLeftQueue;
  if (isToGo(agents, standing, isOutdated && !seen.pods.some(isLive))) {
    return [{ kind: "deleteChild", child: referenceOf(object) }];
  }
  const own = ownFields(object).spec;
  const suspend = suspendToSay(agents, standing, own);
  // As it is there: others may have added to it, and what is frozen is refused if it differs.
  const kept = own?.[key] ?? (object.spec as Content)[key];
  const child = childSaying(wanted, { ...shell, [key]: kept }, known ?? mark, {
    ...{ suspend, startedBy, saidBefore: object.metadata.annotations?.[SUSPEND_SAID] },
  });
  const isSaid = suspend === undefined || suspend === agents.isSuspended;
  // Others may change what was said, by kubectl edit; pods and suspend are judged by themselves.
  const isKept = isStillOwn({ ...child, spec: shell }, object);
  if (isSaid && isKept && isApplied(child, object)) return [];
  return [{ kind: "applyChild", child, resourceVersion: object.metadata.resourceVersion }];
}

/**
 * Whether it goes, for another to be made when one is to run. Who starts it may start it at any
 * time: what a person suspends is taken from them.
 */
function isToGo(agents: Agents, standing: Standing, canBeRenewed: boolean): boolean {
  const { isHeld, isRunOff, isResizing } = standing;
  if (!isRunOff) return false;
  const isOthersToStart = isHeld && agents.startedBy !== "moestro";
  return isResizing || isOthersToStart || (canBeRenewed && agents.isSuspended);
}

/**
 * A person's wish holds always, once the run has let its nodes go. Otherwise a queue's word is
 * left alone: not said, or repeated while it is ours, because what is said no more is removed,
 * and a job without `suspend` starts.
 */
function suspendToSay(agents: Agents, standing: Standing, own: Content | undefined) {
  const { isHeld, isRunOff } = standing;
  if (isHeld && isRunOff) return true;
  if (!isHeld && agents.startedBy === "moestro") return false;
  return own?.suspend === undefined ? undefined : agents.isSuspended;
}

function childSaying(
  wanted: KubernetesObject,
  content: Content,
  pods: string,
  said: { suspend: boolean | undefined; startedBy: string; saidBefore?: string | undefined },
): KubernetesObject {
  const { suspend, startedBy, saidBefore } = said;
  // Pods and suspend have marks of their own.
  const { template: _, replicatedJobs: __, ...shell } = content;
  const { annotations } = marked({ ...wanted, spec: shell }).metadata;
  const word = suspend === undefined ? saidBefore : String(suspend);
  return annotated(
    { ...wanted, spec: { ...content, ...(suspend === undefined ? {} : { suspend }) } },
    {
      ...{ ...annotations, [PODS]: pods, [STARTED_BY]: startedBy },
      ...(word === undefined ? {} : { [SUSPEND_SAID]: word }),
    },
  );
}
