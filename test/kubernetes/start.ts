import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAuthority, issue } from "../../coordinator/rpc/certificates.ts";
import { type TokenRequest, Tokens } from "./access/tokens.ts";
import { Cluster } from "./cluster.ts";
import { Faults } from "./faults.ts";
import { createApiServer } from "./http/server.ts";
import type { Json } from "./json.ts";
import { bearer, clusterAt, kubeconfigText } from "./kubeconfig.ts";
import type { Image } from "./nodes/launch.ts";
import { Nodes } from "./nodes/nodes.ts";
import { keepDefaults } from "./registry/accounts.ts";
import { GarbageCollector } from "./registry/garbage.ts";
import { create } from "./registry/write.ts";
import { type Reply, send } from "./send.ts";

export type StartOptions = {
  /** How often a watch that asks for bookmarks gets one. */
  bookmarkMs?: number;
  /** How many changes are kept for watches that come back; older ones are answered with 410. */
  maxChanges?: number;
  namespaces?: readonly string[];
  /** Names of the nodes that there are; with none no pod runs. */
  nodes?: readonly string[];
  /** What runs for an image; images that are not in it cannot be pulled. */
  images?: { [image: string]: Image };
};

/** A cluster that is played, with its API on loopback. */
export type TestCluster = {
  url: string;
  /** PEM of the authority that signed the server's certificate. */
  authority: string;
  /** Bearer token of a cluster admin. */
  token: string;
  /** Path of a kubeconfig of that admin, namespace `default`. */
  kubeconfig: string;
  cluster: Cluster;
  faults: Faults;
  nodes: Nodes;
  /** A token of a service account, as TokenRequest makes it. */
  tokenFor(request: TokenRequest): string;
  /** Path of a kubeconfig of a service account, which may do what its roles say. */
  kubeconfigFor(request: TokenRequest): string;
  /** One request without a client; a body that is no text is sent as JSON. */
  request(
    method: string,
    path: string,
    body?: Json,
    options?: { token?: string; headers?: { [name: string]: string } },
  ): Promise<Reply>;
  close(): Promise<void>;
};

/** Starts a cluster with namespace `default` and those named. */
export async function startCluster(options: StartOptions = {}): Promise<TestCluster> {
  const directory = mkdtempSync(join(tmpdir(), "moestro-kubernetes-"));
  const { maxChanges } = options;
  const cluster = new Cluster(maxChanges === undefined ? {} : { maxChanges });
  const faults = new Faults();
  const tokens = new Tokens(cluster);
  const token = randomBytes(16).toString("hex");
  const authority = await createAuthority(new Date());
  const stopDefaults = keepDefaults(cluster, authority.certificate);
  const garbage = new GarbageCollector(cluster);
  addNamespaces(cluster, ["default", "kube-system", ...(options.namespaces ?? [])]);
  const nodes = new Nodes({
    ...{ cluster, tokens, directory: join(directory, "nodes") },
    names: options.nodes ?? [],
    images: options.images ?? {},
  });
  const name = "kubernetes";
  const identity = await issue(authority, { name, hosts: ["127.0.0.1", "localhost"] }, new Date());
  const api = createApiServer(identity, {
    ...{ cluster, tokens, faults, adminToken: token },
    bookmarkMs: options.bookmarkMs ?? 60_000,
    logs: (route, query, response) => nodes.writeLog(route, query, response),
  });
  api.listen(0, "127.0.0.1");
  await once(api, "listening");
  const { port } = api.address() as AddressInfo;
  nodes.apiServer = { host: "127.0.0.1", port };
  const url = `https://127.0.0.1:${port}`;
  const kubeconfig = join(directory, "kubeconfig.json");
  const server = clusterAt(url, authority.certificate);
  writeFileSync(kubeconfig, kubeconfigText(server, bearer(token), "default"));
  return {
    ...{ url, token, kubeconfig, cluster, faults, nodes, authority: authority.certificate },
    tokenFor: (request) => tokens.issue(request).token,
    kubeconfigFor(request) {
      const path = join(directory, `${request.namespace}-${request.serviceAccount}.json`);
      const { token: own } = tokens.issue(request);
      writeFileSync(path, kubeconfigText(server, bearer(own), request.namespace));
      return path;
    },
    request(method, path, body, { token: own = token, headers } = {}) {
      const access = { ca: authority.certificate, headers: { authorization: `Bearer ${own}` } };
      return send(`${url}${path}`, method, access, body, headers);
    },
    async close() {
      await nodes.stop();
      garbage.stop();
      stopDefaults();
      faults.breakConnections();
      await new Promise((resolve) => api.close(resolve));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function addNamespaces(cluster: Cluster, names: readonly string[]): void {
  for (const name of names) {
    const object = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
    const resource = cluster.resource("", "v1", "namespaces");
    create(cluster, resource, undefined, object, { manager: "kube-apiserver" });
  }
}
