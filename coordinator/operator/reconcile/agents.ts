import type { Observation, ObservedObject } from "./observation.ts";

/** Written on the agents' job when it is applied. */
export const STARTED_BY = "moestro.dev/started-by";
export const SUSPEND_SAID = "moestro.dev/suspend-said";

/** What makes the pods, as it was found. */
export interface Agents {
  object: ObservedObject;
  isSuspended: boolean;
  /** Pods it is to have while it is not suspended. */
  numPods: number;
  /**
   * Who says when it starts: moestro, or the queue that the spec names, or others, who suspended
   * it against moestro's word, as an admission webhook does. From then on it is theirs.
   */
  startedBy: "moestro" | "queue" | "others";
  /** Made for a queue that the spec names no more: whether others hold it back never showed. */
  hasLeftQueue: boolean;
  /** That it is over, in Kubernetes' words. */
  end: { isFailure: boolean; reason: string; message: string } | undefined;
}

export function isAgents({ kind }: { kind: string }): boolean {
  return kind === "Job" || kind === "JobSet";
}

/** Their account, by which pods are known; the policy, but for which all is denied. */
const NEEDED = ["ServiceAccount", "NetworkPolicy"];

/** What is not there, for it was refused, and without which pods could not join. */
export function lackedByPods({ children, refusals }: Pick<Observation, "children" | "refusals">) {
  return refusals.find(
    ({ kind }) => NEEDED.includes(kind) && !children.some((child) => child.kind === kind),
  );
}

export function agentsIn(children: readonly ObservedObject[], queueName?: string) {
  const object = children.find(isAgents);
  return object === undefined ? undefined : agentsOf(object, queueName);
}

function agentsOf(object: ObservedObject, queueName: string | undefined): Agents {
  const { [STARTED_BY]: starter, [SUSPEND_SAID]: said } = object.metadata.annotations ?? {};
  const { suspend, ...content } = (object.spec ?? {}) as AgentsSpec;
  const isSuspended = suspend === true;
  const isTheirs = starter === "others" || (said === "false" && isSuspended);
  const ours = queueName === undefined ? "moestro" : "queue";
  return {
    ...{ object, isSuspended, end: endOf(object), numPods: numPodsOf(content) },
    startedBy: isTheirs ? "others" : ours,
    hasLeftQueue: starter === "queue" && queueName === undefined,
  };
}

interface AgentsSpec {
  suspend?: boolean;
  parallelism?: number;
  replicatedJobs?: readonly { template?: { spec?: AgentsSpec } }[];
}

function numPodsOf({ parallelism = 0, replicatedJobs = [] }: AgentsSpec): number {
  const inner = replicatedJobs.map(({ template }) => numPodsOf(template?.spec ?? {}));
  return inner.reduce((sum, count) => sum + count, parallelism);
}

interface ObjectCondition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
}

export function conditionsOf({ status }: ObservedObject): readonly ObjectCondition[] {
  return (status?.conditions as ObjectCondition[] | undefined) ?? [];
}

/** Jobs are Complete, JobSets are Completed. */
function endOf(object: ObservedObject): Agents["end"] {
  const end = conditionsOf(object).find(
    ({ type, status }) => ["Complete", "Completed", "Failed"].includes(type) && status === "True",
  );
  if (end === undefined) return undefined;
  const { type, reason = type, message = "" } = end;
  return { isFailure: type === "Failed", reason, message };
}
