import type { KubeConfig } from "@kubernetes/client-node";
import { MoestroError } from "../../errors.ts";
import type { KubernetesObject } from "../../kubernetes/children/kubernetes-object.ts";
import { FIELD_MANAGER } from "../../operator/reconcile/actions.ts";
import type { ObservedObject } from "../../operator/reconcile/observation.ts";
import { ask, serverOf } from "./ask.ts";

export interface Kind {
  apiVersion: string;
  kind: string;
}
type Served = { resources: { kind: string; name: string }[] };

/** What there is in one namespace, and what would be; nothing is changed. */
export class ClusterReads {
  private readonly config: KubeConfig;
  private readonly namespace: string;
  private readonly served = new Map<string, Promise<Served>>();

  constructor(config: KubeConfig, namespace: string) {
    this.config = config;
    this.namespace = namespace;
  }

  get server(): string {
    return serverOf(this.config);
  }

  async has(of: Kind): Promise<boolean> {
    return (await this.pathOf(of)) !== undefined;
  }

  /** Undefined if there is none, or no such kind. */
  async read(of: Kind, name: string): Promise<ObservedObject | undefined> {
    const path = await this.pathOf(of);
    if (path === undefined) return undefined;
    const found = await ask(this.config, "GET", `${path}/${name}`, `${of.kind} ${name}`);
    return found as ObservedObject | undefined;
  }

  async list(of: Kind, labelSelector: string): Promise<readonly ObservedObject[]> {
    const query = new URLSearchParams({ labelSelector });
    const path = `${await this.pathOf(of)}?${query}`;
    const found = await ask(this.config, "GET", path, `${of.kind}s`);
    return (found as { items: ObservedObject[] } | undefined)?.items ?? [];
  }

  /**
   * What an object would be if the operator applied it.
   *
   * @param isForced whether fields of others are taken over
   */
  async dryRun(object: KubernetesObject, isForced: boolean): Promise<ObservedObject> {
    const { apiVersion, kind, metadata } = object;
    const path = await this.pathOf(object);
    if (path === undefined) {
      throw new MoestroError(
        "environment",
        `${this.server}: has no ${kind} (${apiVersion}); install what defines it`,
      );
    }
    const query = new URLSearchParams({
      ...{ dryRun: "All", fieldManager: FIELD_MANAGER, force: String(isForced) },
    });
    const { name } = metadata;
    const place = `${path}/${name}?${query}`;
    return (await ask(this.config, "PATCH", place, `${kind} ${name}`, object)) as ObservedObject;
  }

  /** Undefined if the cluster has no such kind. */
  private async pathOf({ apiVersion, kind }: Kind): Promise<string | undefined> {
    const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const asked = this.served.get(root) ?? this.discover(root, apiVersion);
    this.served.set(root, asked);
    const { resources } = await asked;
    const plural = resources.find((one) => one.kind === kind && !one.name.includes("/"))?.name;
    return plural === undefined ? undefined : `${root}/namespaces/${this.namespace}/${plural}`;
  }

  private async discover(root: string, apiVersion: string): Promise<Served> {
    const found = await ask(this.config, "GET", root, apiVersion);
    return (found as Served | undefined) ?? { resources: [] };
  }
}
