import type { JsonObject } from "../json.ts";

/**
 * Kinds of other projects that manifests name. No package carries their definitions, so these
 * know the names alone: group, version, kind and scope of an object are checked against them,
 * its content is not.
 */
export const FOREIGN_DEFINITIONS: readonly JsonObject[] = [
  definition("kueue.x-k8s.io", "v1beta1", "ResourceFlavor", "Cluster"),
  definition("kueue.x-k8s.io", "v1beta1", "ClusterQueue", "Cluster"),
  definition("kueue.x-k8s.io", "v1beta1", "LocalQueue", "Namespaced"),
  definition("jobset.x-k8s.io", "v1alpha2", "JobSet", "Namespaced"),
  definition("monitoring.coreos.com", "v1", "ServiceMonitor", "Namespaced"),
  definition("monitoring.coreos.com", "v1", "PrometheusRule", "Namespaced"),
];

function definition(group: string, version: string, kind: string, scope: string): JsonObject {
  const singular = kind.toLowerCase();
  const openAPIV3Schema = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  return {
    ...{ apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition" },
    metadata: { name: `${singular}s.${group}` },
    spec: {
      ...{ group, scope, names: { plural: `${singular}s`, singular, kind } },
      versions: [{ name: version, served: true, storage: true, schema: { openAPIV3Schema } }],
    },
  };
}
