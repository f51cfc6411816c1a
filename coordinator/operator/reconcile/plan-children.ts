import { childrenOf } from "../../kubernetes/children/children-of.ts";
import type { KubernetesObject } from "../../kubernetes/children/kubernetes-object.ts";
import type { Action } from "./actions.ts";
import type { Agents } from "./agents.ts";
import { isApplied, marked } from "./applied-mark.ts";
import { givenBack, referenceOf } from "./give-back.ts";
import { isStillOwn } from "./is-still-own.ts";
import type { Condition } from "./job-status.ts";
import type { Observation } from "./observation.ts";
import { planAgents } from "./plan-agents.ts";
import type { Standing } from "./standing.ts";

/** What is to be made, changed or removed, so that the children are as the job says. */
export function planChildren(seen: Observation, standing: Standing): Action[] {
  const { agents, spec, isOver } = standing;
  if (agents?.object.metadata.deletionTimestamp !== undefined) return [];
  if (isOver) return agents === undefined ? [] : ended(agents, seen, standing);
  if (spec === undefined) return agents === undefined ? [] : refused(agents, seen, standing);
  const wanted = wantedOf(seen, standing);
  const agentsWanted = wanted.at(-1);
  const around = wanted.slice(0, -1).flatMap((child) => applied(child, seen));
  return agentsWanted === undefined ? [] : [...around, ...planAgents(agentsWanted, seen, standing)];
}

function wantedOf(seen: Observation, { spec, agents }: Standing): KubernetesObject[] {
  const { job, verdict, installation, run } = seen;
  if (spec === undefined || verdict.kind !== "planned") return [];
  const { name, namespace, uid } = job.metadata;
  // A run that shrinks lets go of its ranks before their pods go.
  const held = Math.ceil((run?.numRanks ?? 0) / spec.gpusPerNode);
  const nodes = Math.max(spec.nodes.max, held);
  const facts = {
    ...{ plan: verdict.plan, nodes, isBorn: agents !== undefined },
    // One that is smaller than it may be is not to hold up drains for nodes that it has not.
    nodesOfRun: held === 0 ? nodes : held,
  };
  return childrenOf({ metadata: { name, namespace, uid }, spec }, facts, installation);
}

function applied(wanted: KubernetesObject, { children, run }: Observation): Action[] {
  const child = marked(wanted);
  const found = children.find(
    ({ kind, metadata }) => kind === child.kind && metadata.name === child.metadata.name,
  );
  if (found === undefined) return [{ kind: "applyChild", child }];
  // What is being deleted comes again when it is gone.
  if (found.metadata.deletionTimestamp !== undefined) return [];
  // Between two sizes there is none to go by.
  if (child.kind === "PodDisruptionBudget" && run?.numRanks === 0) return [];
  // Others may change what was said, by kubectl edit.
  if (isApplied(child, found) && isStillOwn(child, found)) return [];
  return [{ kind: "applyChild", child, resourceVersion: found.metadata.resourceVersion }];
}

/**
 * Agents do not end by themselves, so their nodes are given back. Pods of a suspended job are
 * gone with what kubectl logs had: the run's folder keeps its logs, which moestro logs shows.
 */
function ended(agents: Agents, seen: Observation, standing: Standing): Action[] {
  const { object, startedBy, end } = agents;
  if (startedBy !== "moestro" || msToLive(seen, standing) === 0) {
    return [{ kind: "deleteChild", child: referenceOf(object) }];
  }
  return end === undefined ? givenBack(agents) : [];
}

/** What runs goes on as it was planned before; what nothing runs on is given back. */
function refused(agents: Agents, { run }: Observation, { isHeld, isRunOff }: Standing): Action[] {
  if (run === undefined) return [{ kind: "deleteChild", child: referenceOf(agents.object) }];
  return isHeld && isRunOff ? givenBack(agents) : [];
}

/** Until the pods' job of a job that is over is deleted; undefined for never, or not known yet. */
export function msToLive(seen: Observation, { ttlSeconds, isOver }: Standing) {
  const end = seen.job.status?.conditions?.find(isEnd);
  if (!isOver || ttlSeconds === undefined || end === undefined) return undefined;
  return Math.max(0, Date.parse(end.lastTransitionTime) + ttlSeconds * 1000 - seen.nowMs);
}

function isEnd({ type, status }: Condition): boolean {
  return (type === "Succeeded" || type === "Failed") && status === "True";
}
