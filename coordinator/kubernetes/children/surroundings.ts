import type { MoETrainingJob } from "../moe-training-job.ts";
import { agentsName, childOf, planName, podSelector } from "./identity.ts";
import type { KubernetesObject } from "./kubernetes-object.ts";
import type { ChildrenOptions, JobFacts } from "./options.ts";

/** Gives pods names in DNS, from the moment they have an address. */
export function headlessService(job: MoETrainingJob): KubernetesObject {
  const child = { apiVersion: "v1", kind: "Service", name: agentsName(job) };
  return childOf(job, child, {
    spec: { clusterIP: "None", publishNotReadyAddresses: true, selector: podSelector(job) },
  });
}

/** Says who the pods are, when they join a coordinator, and may nothing. */
export function serviceAccount(job: MoETrainingJob): KubernetesObject {
  const child = { apiVersion: "v1", kind: "ServiceAccount", name: agentsName(job) };
  return childOf(job, child, { automountServiceAccountToken: false });
}

/** The plan, for people: kubectl get configmap NAME-plan -o jsonpath='{.data.plan\.json}'. */
export function planSnapshot(job: MoETrainingJob, { plan }: JobFacts): KubernetesObject {
  const child = { apiVersion: "v1", kind: "ConfigMap", name: planName(job) };
  return childOf(job, child, { data: { "plan.json": plan } });
}

/** Nodes are drained one at a time: the run goes on without one, or comes back when it does. */
export function disruptionBudget(job: MoETrainingJob, nodes: number): KubernetesObject {
  const child = { apiVersion: "policy/v1", kind: "PodDisruptionBudget", name: agentsName(job) };
  return childOf(job, child, {
    spec: { minAvailable: nodes - 1, selector: { matchLabels: podSelector(job) } },
  });
}

/** Where NodeLocal DNSCache answers; it is the node's and no pod's, so that no selector has it. */
const NODE_LOCAL_DNS = "169.254.20.10/32";

/** Pods of the job reach each other, the coordinators and DNS; nobody else reaches them. */
export function networkPolicy(job: MoETrainingJob, options: ChildrenOptions): KubernetesObject {
  const child = {
    apiVersion: "networking.k8s.io/v1",
    ...{ kind: "NetworkPolicy", name: agentsName(job) },
  };
  const own = { podSelector: { matchLabels: podSelector(job) } };
  const coordinators = {
    namespaceSelector: namespaceCalled(options.coordinatorNamespace),
    podSelector: { matchLabels: { "app.kubernetes.io/component": "coordinator" } },
  };
  return childOf(job, child, {
    spec: {
      podSelector: { matchLabels: podSelector(job) },
      policyTypes: ["Ingress", "Egress"],
      ingress: [{ from: [own] }],
      egress: [
        { to: [own] },
        {
          to: [coordinators],
          ports: options.coordinatorPorts.map((port) => ({ protocol: "TCP", port })),
        },
        {
          to: [
            { namespaceSelector: namespaceCalled("kube-system") },
            { ipBlock: { cidr: NODE_LOCAL_DNS } },
          ],
          ports: ["UDP", "TCP"].map((protocol) => ({ protocol, port: 53 })),
        },
      ],
    },
  });
}

/** By the label that every namespace has. */
function namespaceCalled(name: string) {
  return { matchLabels: { "kubernetes.io/metadata.name": name } };
}
