import { childrenOf } from "../../kubernetes/children/children-of.ts";
import type { KubernetesObject } from "../../kubernetes/children/kubernetes-object.ts";
import type { Action } from "./actions.ts";
import { isApplied, marked } from "./applied-mark.ts";
import type { Condition } from "./job-status.ts";
import type { Observation, ObservedObject } from "./observation.ts";
import { planAgents, referenceOf } from "./plan-agents.ts";
import type { Standing } from "./standing.ts";

/** What is to be made, changed or removed, so that the children are as the job says. */
export function planChildren(seen: Observation, standing: Standing): Action[] {
  const { agents, isOver } = standing;
  if (agents?.object.metadata.deletionTimestamp !== undefined) return [];
  if (isOver) return agents === undefined ? [] : ended(agents.object, seen, standing);
  const wanted = wantedOf(seen, standing);
  const agentsWanted = wanted.at(-1);
  const around = wanted.slice(0, -1).flatMap((child) => applied(child, seen));
  return agentsWanted === undefined ? [] : [...around, ...planAgents(agentsWanted, seen, standing)];
}

function wantedOf(seen: Observation, { spec, agents }: Standing): KubernetesObject[] {
  const { job, verdict, installation, run } = seen;
  if (spec === undefined || verdict.kind === "refused") return [];
  const { name, namespace, uid } = job.metadata;
  // A run that shrinks lets go of its ranks before their pods go.
  const nodes = Math.max(spec.nodes.max, Math.ceil((run?.numRanks ?? 0) / spec.gpusPerNode));
  const facts = { plan: verdict.plan, nodes, isBorn: agents !== undefined };
  return childrenOf({ metadata: { name, namespace, uid }, spec }, facts, installation);
}

function applied(wanted: KubernetesObject, { children }: Observation): Action[] {
  const child = marked(wanted);
  const found = children.find(
    ({ kind, metadata }) => kind === child.kind && metadata.name === child.metadata.name,
  );
  if (found === undefined) return [{ kind: "applyChild", child }];
  // What is being deleted comes again when it is gone.
  if (found.metadata.deletionTimestamp !== undefined || isApplied(child, found)) return [];
  return [{ kind: "applyChild", child, resourceVersion: found.metadata.resourceVersion }];
}

/**
 * Agents do not end by themselves, so their nodes are given back: suspended, for people to look
 * at until its time to live is over, or deleted where a queue would start it again.
 */
function ended(object: ObservedObject, seen: Observation, standing: Standing): Action[] {
  const { agents, spec } = standing;
  const toDelete: Action[] = [{ kind: "deleteChild", child: referenceOf(object) }];
  if (spec === undefined || agents?.startedBy !== "moestro") return toDelete;
  if (msToLive(seen, standing) === 0) return toDelete;
  const wanted = wantedOf(seen, standing).at(-1);
  if (agents?.end !== undefined || wanted === undefined) return [];
  return planAgents(wanted, seen, standing).filter(({ kind }) => kind === "applyChild");
}

/** Until the pods' job of a job that is over is deleted; undefined for never, or not known yet. */
export function msToLive(seen: Observation, { spec, isOver }: Standing): number | undefined {
  const { ttlSecondsAfterFinished: seconds } = spec ?? {};
  const end = seen.job.status?.conditions?.find(isEnd);
  if (!isOver || seconds === undefined || end === undefined) return undefined;
  return Math.max(0, Date.parse(end.lastTransitionTime) + seconds * 1000 - seen.nowMs);
}

function isEnd({ type, status }: Condition): boolean {
  return (type === "Succeeded" || type === "Failed") && status === "True";
}
