import { KubeConfig } from "@kubernetes/client-node";

type Cluster = KubeConfig["clusters"][number];
type User = KubeConfig["users"][number];

/** What the one cluster, user and context of the tests' kubeconfigs are called. */
const NAME = "moestro-test";

/** The text of a kubeconfig with one context; kubeconfigs are YAML, and so may be JSON. */
export function kubeconfigText(cluster: Cluster, user: User, namespace: string): string {
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: [{ ...cluster, name: NAME }],
    users: [{ ...user, name: NAME }],
    contexts: [{ name: NAME, cluster: NAME, user: NAME, namespace }],
    currentContext: NAME,
  });
  return config.exportConfig();
}

/** A cluster whose certificate an authority signed, in PEM. */
export function clusterAt(server: string, authority: string): Cluster {
  const caData = Buffer.from(authority).toString("base64");
  return { name: NAME, server, caData, skipTLSVerify: false };
}

/** Someone known by a bearer token. */
export function bearer(token: string): User {
  return { name: NAME, token };
}
