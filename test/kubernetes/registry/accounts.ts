import type { Cluster } from "../cluster.ts";
import { create } from "./write.ts";

/** Gives each namespace its service account `default`, as the controller manager does. */
export function keepDefaultAccounts(cluster: Cluster): () => void {
  return cluster.storage.subscribe(({ key, type, object }) => {
    if (key !== "/namespaces" || type !== "ADDED") return;
    const { name } = object.metadata;
    const account = {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name: "default", namespace: name },
    };
    const options = { manager: "kube-controller-manager" };
    create(cluster, cluster.resource("", "v1", "serviceaccounts"), name, account, options);
  });
}
