import { AGENT_CONTAINER } from "../../kubernetes/children/agent-container.ts";
import type { ChildrenOptions } from "../../kubernetes/children/options.ts";
import { isAgents } from "../../operator/reconcile/agents.ts";
import type { ObservedObject } from "../../operator/reconcile/observation.ts";

type Pod = {
  containers?: { name: string; image?: string; args?: string[] }[];
  volumes?: { name: string; persistentVolumeClaim?: { claimName: string } }[];
};
type JobSpec = { template?: { spec?: Pod } };
type PolicySpec = { egress?: { to?: Peer[]; ports?: { port: number }[] }[] };
type Peer = {
  namespaceSelector?: { matchLabels?: Record<string, string> };
  podSelector?: { matchLabels?: Record<string, string> };
};

const COORDINATOR = /^--coordinator=/;

/**
 * The installation that made the children that are there, as they show it: only its operator
 * knows what it was told.
 *
 * @param otherwise for what they do not show
 */
export function installationSeen(
  children: readonly ObservedObject[],
  otherwise: ChildrenOptions,
): ChildrenOptions {
  const pod = podIn(children.find(isAgents));
  const agent = pod.containers?.find(({ name }) => name === AGENT_CONTAINER);
  const coordinators = agent?.args?.find((one) => COORDINATOR.test(one));
  const runs = pod.volumes?.find(({ name }) => name === "runs");
  const { image } = agent ?? {};
  return {
    ...otherwise,
    ...(image === undefined ? {} : { images: { cpu: image, cuda: image } }),
    ...(coordinators === undefined
      ? {}
      : { coordinators: coordinators.replace(COORDINATOR, "").split(",") }),
    ...(runs?.persistentVolumeClaim ? { runsClaim: runs.persistentVolumeClaim.claimName } : {}),
    ...coordinatorsIn(children.find(({ kind }) => kind === "NetworkPolicy")),
  };
}

function podIn(agents: ObservedObject | undefined): Pod {
  const spec = (agents?.spec ?? {}) as JobSpec & {
    replicatedJobs?: { template?: { spec?: JobSpec } }[];
  };
  return (spec.replicatedJobs?.[0]?.template?.spec ?? spec).template?.spec ?? {};
}

/** Where the pods' network policy lets them reach coordinators. */
function coordinatorsIn(policy: ObservedObject | undefined): Partial<ChildrenOptions> {
  for (const { to = [], ports = [] } of (policy?.spec as PolicySpec | undefined)?.egress ?? []) {
    const [{ podSelector, namespaceSelector } = {}] = to;
    if (podSelector?.matchLabels?.["app.kubernetes.io/component"] !== "coordinator") continue;
    const namespace = namespaceSelector?.matchLabels?.["kubernetes.io/metadata.name"];
    if (namespace === undefined) continue;
    return { coordinatorNamespace: namespace, coordinatorPorts: ports.map(({ port }) => port) };
  }
  return {};
}
