import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { RequestOptions } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { until } from "../faults/patience.ts";
import type { TokenRequest } from "./access/tokens.ts";
import { at, type Json, type JsonObject } from "./json.ts";
import { bearer, kubeconfigText } from "./kubeconfig.ts";
import { type Access, type Reply, send } from "./send.ts";
import type { TestCluster } from "./start.ts";

/** Where an API server comes from. */
export type Source = {
  /** Of a cluster admin. */
  kubeconfig: string;
  /** It is there afterwards, so what a test makes has to go. */
  isKept?: boolean;
  /** The stand-in, if it is that. */
  played?: TestCluster;
  close(): Promise<void>;
};

export const DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const NAMESPACES = "/api/v1/namespaces";

/** What tests of the API have, whatever server answers. */
export class ApiServer {
  readonly config = new KubeConfig();
  readonly url: string;
  /** Path of a kubeconfig of a cluster admin, whose namespace is the test's. */
  readonly kubeconfig: string;
  /** How that admin asks. */
  readonly access: Access;
  private readonly source: Source;
  private readonly directory = mkdtempSync(join(tmpdir(), "moestro-api-"));
  private readonly made: string[] = [];

  private constructor(source: Source, namespace: string, asked: KubeConfig, access: Access) {
    const [cluster, user] = [asked.getCurrentCluster(), asked.getCurrentUser()];
    assert.ok(cluster && user, `${source.kubeconfig}: has no current context; choose one`);
    this.source = source;
    this.access = access;
    this.url = cluster.server;
    this.kubeconfig = this.file("admin.json", kubeconfigText(cluster, user, namespace));
    this.config.loadFromFile(this.kubeconfig);
  }

  static async at(source: Source, namespace: string): Promise<ApiServer> {
    const config = new KubeConfig();
    config.loadFromFile(source.kubeconfig);
    const options: RequestOptions = {};
    await config.applyToHTTPSOptions(options);
    const { ca, cert, key, servername, rejectUnauthorized } = options;
    const headers = options.headers as { [name: string]: string } | undefined;
    return new ApiServer(source, namespace, config, {
      ...{ ca, cert, key, headers: { ...headers } },
      ...(servername === undefined ? {} : { servername }),
      ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
    });
  }

  /** The stand-in, for tests that are skipped by `whyNotReal` without it. */
  get played(): TestCluster {
    assert.ok(this.source.played, "this server is real: skip the test by whyNotReal");
    return this.source.played;
  }

  /** One request without a client; a body that is no text is sent as JSON. */
  request(
    method: string,
    path: string,
    body?: Json,
    { token, headers }: { token?: string; headers?: { [name: string]: string } } = {},
  ): Promise<Reply> {
    const { cert: _, key: __, ...trust } = this.access;
    const access =
      token === undefined
        ? this.access
        : { ...trust, headers: { authorization: `Bearer ${token}` } };
    return send(`${this.url}${path}`, method, access, body, headers);
  }

  /** Has an object deleted with the test where the server stays; refuses those of others. */
  async own(path: string): Promise<void> {
    const { code } = await this.request("GET", path);
    const remedy = "use a cluster that is there for tests alone, or delete it";
    assert.equal(code, 404, `${this.url}${path}: is there already; ${remedy}`);
    this.made.push(path);
  }

  /** Makes a definition, and waits until objects of it can be made. */
  async define(definition: JsonObject): Promise<void> {
    await this.own(`${DEFINITIONS}/${String(at(definition, "metadata", "name"))}`);
    const { code, body } = await this.request("POST", DEFINITIONS, definition);
    assert.equal(code, 201, JSON.stringify(body));
    const [group, plural] = [
      at(definition, "spec", "group"),
      at(definition, "spec", "names", "plural"),
    ];
    const version = at(definition, "spec", "versions", "0", "name");
    const list = `/apis/${String(group)}/${String(version)}/${String(plural)}`;
    await until(list, async () => (await this.request("GET", list)).code === 200);
  }

  async makeNamespace(name: string): Promise<void> {
    await this.own(`${NAMESPACES}/${name}`);
    const { code, body } = await this.request("POST", NAMESPACES, { metadata: { name } });
    assert.equal(code, 201, JSON.stringify(body));
  }

  /** A token of a service account that is there. */
  async tokenFor(request: TokenRequest): Promise<string> {
    const { namespace, serviceAccount, audiences = [], expirationSeconds = 3600, pod } = request;
    const boundObjectRef = pod && { apiVersion: "v1", kind: "Pod", ...pod };
    const path = `${NAMESPACES}/${namespace}/serviceaccounts/${serviceAccount}/token`;
    const { code, body } = await this.request("POST", path, {
      ...{ apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest" },
      spec: {
        ...{ audiences: [...audiences], expirationSeconds },
        ...(boundObjectRef ? { boundObjectRef } : {}),
      },
    });
    assert.equal(code, 201, JSON.stringify(body));
    return String(at(body, "status", "token"));
  }

  /** Path of a kubeconfig of a service account, which may do what its roles say. */
  async kubeconfigFor(request: TokenRequest): Promise<string> {
    const cluster = this.config.getCurrentCluster();
    assert.ok(cluster);
    const { namespace, serviceAccount } = request;
    const text = kubeconfigText(cluster, bearer(await this.tokenFor(request)), namespace);
    return this.file(`${namespace}-${serviceAccount}.json`, text);
  }

  async close(): Promise<void> {
    try {
      if (this.source.isKept) await this.removeMade();
    } finally {
      await this.source.close();
      rmSync(this.directory, { recursive: true, force: true });
    }
  }

  private async removeMade(): Promise<void> {
    const paths = this.made.reverse();
    for (const path of paths) await this.request("DELETE", path);
    for (const path of paths) {
      await until(`${path} gone`, async () => (await this.request("GET", path)).code === 404);
    }
  }

  private file(name: string, text: string): string {
    const path = join(this.directory, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }
}
