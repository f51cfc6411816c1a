import type { Cause } from "../api-error.ts";
import type { Cluster } from "../cluster.ts";
import type { KubeObject } from "../json.ts";
import { keyOf, type Resource } from "../resources.ts";
import { crd } from "./crd.ts";
import { job } from "./job.ts";
import { configMap, namespace } from "./plain.ts";
import { pod } from "./pod.ts";
import { service } from "./service.ts";
import { workload } from "./workload.ts";

/** What a built-in kind has beyond its schema. */
export type Kind = {
  /** Sets defaults; `old` is undefined when the object is created. */
  setDefaults?(object: KubeObject, cluster: Cluster, old: KubeObject | undefined): void;
  check?(object: KubeObject, old: KubeObject | undefined): Cause[];
  /** Whether `metadata.generation` counts changes. */
  hasGeneration?: boolean;
};

const KINDS: { [key: string]: Kind } = {
  "/pods": pod,
  "/services": service,
  "/namespaces": namespace,
  "/configmaps": configMap,
  "/secrets": configMap,
  "batch/jobs": job,
  "apps/deployments": workload,
  "apps/statefulsets": workload,
  "policy/poddisruptionbudgets": { hasGeneration: true },
  "networking.k8s.io/networkpolicies": { hasGeneration: true },
  "apiextensions.k8s.io/customresourcedefinitions": crd,
};

export function kindOf(resource: Resource): Kind {
  return KINDS[keyOf(resource)] ?? { hasGeneration: resource.custom };
}
