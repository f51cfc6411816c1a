import type { Cluster } from "../cluster.ts";
import { create } from "./write.ts";

/**
 * Gives each namespace its service account `default` and the config map `kube-root-ca.crt`, as
 * the controller manager does.
 *
 * @param authority of the API server, PEM
 */
export function keepDefaults(cluster: Cluster, authority: string): () => void {
  const options = { manager: "kube-controller-manager" };
  return cluster.storage.subscribe(({ key, type, object }) => {
    if (key !== "/namespaces" || type !== "ADDED") return;
    const namespace = object.metadata.name;
    const account = {
      ...{ apiVersion: "v1", kind: "ServiceAccount" },
      metadata: { name: "default", namespace },
    };
    create(cluster, cluster.resource("", "v1", "serviceaccounts"), namespace, account, options);
    const map = {
      ...{ apiVersion: "v1", kind: "ConfigMap" },
      metadata: { name: "kube-root-ca.crt", namespace },
      data: { "ca.crt": authority },
    };
    create(cluster, cluster.resource("", "v1", "configmaps"), namespace, map, options);
  });
}
