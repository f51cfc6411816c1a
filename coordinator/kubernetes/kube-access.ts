import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { MoestroError } from "../errors.ts";
import { shareConnections } from "./share-connections.ts";

/** Where a pod finds its token, the API server's authority and its namespace. */
const SERVICE_ACCOUNT_DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount";

export interface KubeAccessOptions {
  /** A file; else $KUBECONFIG, the pod's service account, ~/.kube/config. */
  kubeconfig?: string | undefined;
  context?: string | undefined;
  namespace?: string | undefined;
  serviceAccount?: string | undefined;
}

/** How to reach an API server, and the namespace that is meant. */
export interface KubeAccess {
  config: KubeConfig;
  namespace: string;
}

/** @throws MoestroError `environment`, `invalid_input` */
export function kubeAccess(options: KubeAccessOptions): KubeAccess {
  const { kubeconfig, context, serviceAccount = SERVICE_ACCOUNT_DIRECTORY } = options;
  const isInPod =
    kubeconfig === undefined &&
    process.env.KUBECONFIG === undefined &&
    existsSync(join(serviceAccount, "token"));
  const config = isInPod ? configOfPod(serviceAccount) : configOfFile(kubeconfig);
  if (context !== undefined) {
    if (config.getContextObject(context) === null) {
      const known = config.getContexts().map(({ name }) => name);
      throw new MoestroError(
        "invalid_input",
        `--context ${context}: there is no such context; use ${known.join(", ") || "another file"}`,
      );
    }
    config.setCurrentContext(context);
  }
  const ofContext = config.getContextObject(config.getCurrentContext())?.namespace;
  shareConnections(config);
  return { config, namespace: options.namespace ?? ofContext ?? "default" };
}

function configOfFile(path: string | undefined): KubeConfig {
  const config = new KubeConfig();
  try {
    if (path === undefined) config.loadFromDefault();
    else config.loadFromFile(path);
  } catch (error) {
    const [why] = (error as Error).message.split("\n");
    throw new MoestroError(
      "environment",
      `${path ?? "kubeconfig"}: cannot be read: ${why}; give the file with --kubeconfig`,
    );
  }
  const server = config.getCurrentCluster()?.server;
  // What the client makes up where it finds nothing.
  if (server === undefined || (path === undefined && server === "http://localhost:8080")) {
    throw new MoestroError(
      "environment",
      `${path ?? "kubeconfig"}: names no cluster; give a file with --kubeconfig, or set KUBECONFIG`,
    );
  }
  return config;
}

/** The token is read anew as it is rotated. */
function configOfPod(directory: string): KubeConfig {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env;
  if (host === undefined || port === undefined) {
    throw new MoestroError(
      "environment",
      "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT: are not set, as they are in every pod; give --kubeconfig outside of one",
    );
  }
  const name = "pod";
  const tokenFile = join(directory, "token");
  const namespaceFile = join(directory, "namespace");
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: [
      {
        name,
        server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
        caFile: join(directory, "ca.crt"),
        skipTLSVerify: false,
      },
    ],
    users: [{ name, authProvider: { name: "tokenFile", config: { tokenFile } } }],
    contexts: [
      {
        ...{ name, cluster: name, user: name },
        ...(existsSync(namespaceFile) ? { namespace: readFileSync(namespaceFile, "utf8") } : {}),
      },
    ],
    currentContext: name,
  });
  return config;
}
