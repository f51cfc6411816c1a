import { ApiError } from "../../../test/kubernetes/api-error.ts";
import { serverSideApply } from "../../../test/kubernetes/apply/apply.ts";
import { Cluster } from "../../../test/kubernetes/cluster.ts";
import type { JsonObject, KubeObject } from "../../../test/kubernetes/json.ts";
import { remove } from "../../../test/kubernetes/registry/delete.ts";
import { create, update } from "../../../test/kubernetes/registry/write.ts";
import type { Resource } from "../../../test/kubernetes/resources.ts";
import type { KubernetesObject } from "../../kubernetes/children/kubernetes-object.ts";
import { isWithoutConflict } from "../cluster/create-child.ts";
import { type ChildReference, FIELD_MANAGER } from "./actions.ts";
import { isAgents } from "./agents.ts";
import { JOB_SETS } from "./job-set-fixture.ts";
import type { ObservedObject } from "./observation.ts";

const NAMESPACE = "research";

/** Children of one job as the API server keeps them, without a server: no time, no network. */
export class ModelCluster {
  private readonly cluster = new Cluster();

  /**
   * @param isWebhookThere whether jobs are suspended when they are made, as Kueue does
   * @param meddle what else an admission webhook does at every write
   */
  constructor(
    now: () => number,
    isWebhookThere: boolean,
    meddle: (object: KubeObject) => void = () => {},
  ) {
    this.cluster.now = now;
    this.cluster.storage.put(
      { group: "", plural: "namespaces" },
      { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } },
    );
    const crds = { group: "apiextensions.k8s.io", plural: "customresourcedefinitions" };
    this.cluster.storage.put(crds, JOB_SETS);
    this.cluster.webhooks.push((object, operation) => {
      meddle(object);
      if (!isWebhookThere || !isAgents(object) || operation !== "CREATE") return;
      (object.spec as JsonObject).suspend = true;
    });
  }

  children(ownerUid: string): ObservedObject[] {
    return this.cluster
      .resources()
      .filter(({ namespaced }) => namespaced)
      .flatMap((resource) => this.cluster.storage.list(resource, NAMESPACE))
      .filter(({ metadata }) => metadata.ownerReferences?.some(({ uid }) => uid === ownerUid))
      .map((object) => object as unknown as ObservedObject);
  }

  /** As the operator applies. Throws ApiError. */
  apply(child: KubernetesObject, resourceVersion: string | undefined): void {
    const resource = this.resourceOf(child);
    const config = structuredClone(child) as unknown as KubeObject;
    const { name } = child.metadata;
    const live = this.cluster.storage.get(resource, NAMESPACE, name);
    if ((live === undefined) !== (resourceVersion === undefined)) {
      throw new ApiError(409, "Conflict", "it is not what was seen");
    }
    const writer = {
      ...{ manager: FIELD_MANAGER, apiVersion: child.apiVersion, force: true },
      now: this.cluster.timestamp(),
    };
    const options = { manager: FIELD_MANAGER, isApply: true };
    if (live === undefined && isWithoutConflict(child)) {
      create(this.cluster, resource, NAMESPACE, config, { manager: FIELD_MANAGER });
      return;
    }
    if (live === undefined) {
      const object = serverSideApply(undefined, config, resource.schema, writer);
      create(this.cluster, resource, NAMESPACE, object, options);
      return;
    }
    if (live.metadata.resourceVersion !== resourceVersion) {
      throw new ApiError(409, "Conflict", "it was changed since");
    }
    const change = (found: KubeObject) => serverSideApply(found, config, resource.schema, writer);
    update(this.cluster, resource, NAMESPACE, name, change, options);
  }

  delete(child: ChildReference): void {
    const { name, uid } = child;
    remove(this.cluster, this.resourceOf(child), NAMESPACE, name, { preconditions: { uid } });
  }

  /** As others write. */
  edit(object: ObservedObject, manager: string, change: (live: KubeObject) => void): void {
    const changed = (live: KubeObject) => {
      change(live);
      return live;
    };
    const { name } = object.metadata;
    update(this.cluster, this.resourceOf(object), NAMESPACE, name, changed, { manager });
  }

  private resourceOf({ apiVersion, kind }: { apiVersion: string; kind: string }): Resource {
    const found = this.cluster
      .resources()
      .find((each) => each.kind === kind && apiVersion.endsWith(each.version));
    if (found === undefined) throw new ApiError(404, "NotFound", `${apiVersion} ${kind}`);
    return found;
  }
}
