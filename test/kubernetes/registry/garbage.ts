import type { Cluster } from "../cluster.ts";
import type { KubeObject } from "../json.ts";
import { keyOf, type Resource } from "../resources.ts";
import type { Change } from "../storage.ts";
import { FOREGROUND, ORPHAN, remove } from "./delete.ts";

type Place = { key: string; namespace: string | undefined; name: string };

/**
 * The garbage collector: deletes what no owner is left of, sees deletions in the foreground
 * and orphaning through, empties namespaces and definitions that are deleted.
 */
export class GarbageCollector {
  private readonly cluster: Cluster;
  private readonly uids = new Map<string, Place>();
  private readonly dependents = new Map<string, Map<string, Place>>();
  private readonly unsubscribe: () => void;
  private waiting: Change[] = [];
  private isStopped = false;

  constructor(cluster: Cluster) {
    this.cluster = cluster;
    this.unsubscribe = cluster.storage.subscribe((change) => {
      this.index(change);
      if (this.waiting.push(change) === 1) setImmediate(() => this.work());
    });
  }

  stop(): void {
    this.isStopped = true;
    this.unsubscribe();
  }

  private index({ type, key, object }: Change): void {
    const { uid = "", name, namespace, ownerReferences = [] } = object.metadata;
    const place = { key, namespace, name };
    if (type === "DELETED") this.uids.delete(uid);
    else this.uids.set(uid, place);
    for (const owner of ownerReferences) {
      const all = this.dependents.get(owner.uid) ?? new Map<string, Place>();
      if (type === "DELETED") all.delete(uid);
      else all.set(uid, place);
      this.dependents.set(owner.uid, all);
      if (all.size === 0) this.dependents.delete(owner.uid);
    }
  }

  private work(): void {
    const changes = this.waiting;
    this.waiting = [];
    if (this.isStopped) return;
    for (const change of changes) this.settle(change);
  }

  private settle({ type, key, object }: Change): void {
    const { uid = "", finalizers = [], deletionTimestamp } = object.metadata;
    if (type === "DELETED") {
      for (const place of this.dependentsOf(uid)) this.collect(place);
      this.settleOwners(object);
      if (object.metadata.namespace !== undefined) this.settleNamespace(object.metadata.namespace);
      if (key === "apiextensions.k8s.io/customresourcedefinitions") this.dropKind(object);
      return;
    }
    if (object.metadata.ownerReferences?.length) this.collect({ key, ...nameOf(object) });
    if (deletionTimestamp === undefined) return;
    if (finalizers.includes(ORPHAN)) this.orphan(object, key);
    if (finalizers.includes(FOREGROUND)) this.finishForeground({ key, ...nameOf(object) });
    if (key === "/namespaces") this.settleNamespace(object.metadata.name);
  }

  private dependentsOf(uid: string): Place[] {
    return [...(this.dependents.get(uid)?.values() ?? [])];
  }

  private find({ key, namespace, name }: Place): [Resource, KubeObject] | undefined {
    const resource = this.cluster.resourceByKey(key);
    const object = resource && this.cluster.storage.get(resource, namespace, name);
    return object && [resource, object];
  }

  /** Deletes an object whose owners are all gone. */
  private collect(place: Place): void {
    const [resource, object] = this.find(place) ?? [];
    const owners = object?.metadata.ownerReferences ?? [];
    if (!resource || owners.length === 0) return;
    if (owners.some(({ uid }) => this.uids.has(uid))) return;
    if (object?.metadata.deletionTimestamp !== undefined) return;
    remove(this.cluster, resource, place.namespace, place.name, {
      propagationPolicy: "Background",
    });
  }

  /** A dependent is gone: its owner may have waited for that. */
  private settleOwners(object: KubeObject): void {
    for (const { uid } of object.metadata.ownerReferences ?? []) {
      const place = this.uids.get(uid);
      if (place) this.finishForeground(place);
    }
  }

  private finishForeground(place: Place): void {
    const [resource, object] = this.find(place) ?? [];
    if (!resource || !object?.metadata.finalizers?.includes(FOREGROUND)) return;
    const { uid = "" } = object.metadata;
    const left = this.dependentsOf(uid);
    const blocking = left.filter((dependent) =>
      this.find(dependent)?.[1].metadata.ownerReferences?.some(
        (owner) => owner.uid === uid && owner.blockOwnerDeletion === true,
      ),
    );
    if (blocking.length === 0) this.dropFinalizer(resource, object, FOREGROUND);
    for (const dependent of left) {
      const [kind, found] = this.find(dependent) ?? [];
      if (!kind || found?.metadata.deletionTimestamp !== undefined) continue;
      const options = { propagationPolicy: "Foreground" };
      remove(this.cluster, kind, dependent.namespace, dependent.name, options);
    }
  }

  private orphan(object: KubeObject, key: string): void {
    const { uid = "" } = object.metadata;
    for (const place of this.dependentsOf(uid)) {
      const [resource, dependent] = this.find(place) ?? [];
      if (!resource || !dependent) continue;
      const owners = dependent.metadata.ownerReferences ?? [];
      dependent.metadata.ownerReferences = owners.filter((owner) => owner.uid !== uid);
      this.cluster.storage.put(resource, dependent);
    }
    this.dependents.delete(uid);
    const resource = this.cluster.resourceByKey(key);
    if (resource) this.dropFinalizer(resource, object, ORPHAN);
  }

  private dropFinalizer(resource: Resource, { metadata }: KubeObject, finalizer: string): void {
    const { namespace, name } = metadata;
    const object = this.cluster.storage.get(resource, namespace, name);
    if (!object) return;
    const left = (object.metadata.finalizers ?? []).filter((each) => each !== finalizer);
    if (left.length > 0) object.metadata.finalizers = left;
    else delete object.metadata.finalizers;
    this.cluster.storage.put(resource, object);
    if (left.length === 0) this.cluster.storage.remove(resource, namespace, name);
  }

  /** Deletes what is in a namespace that is going, and then the namespace. */
  private settleNamespace(name: string): void {
    const kind = { group: "", plural: "namespaces" };
    const namespace = this.cluster.storage.get(kind, undefined, name);
    if (namespace?.metadata.deletionTimestamp === undefined) return;
    let numLeft = 0;
    for (const resource of this.namespacedKinds()) {
      for (const object of this.cluster.storage.list(resource, name)) {
        numLeft += 1;
        if (object.metadata.deletionTimestamp === undefined) {
          const { isGone } = remove(this.cluster, resource, name, object.metadata.name);
          if (isGone) numLeft -= 1;
        }
      }
    }
    if (numLeft === 0) this.cluster.storage.remove(kind, undefined, name);
  }

  private namespacedKinds(): Resource[] {
    const all = this.cluster.resources().filter(({ namespaced }) => namespaced);
    return [...new Map(all.map((resource) => [keyOf(resource), resource])).values()];
  }

  /** The objects of a definition go with it. */
  private dropKind(crd: KubeObject): void {
    const names = crd.spec?.names as { plural: string } | undefined;
    const kind = { group: String(crd.spec?.group), plural: names?.plural ?? "" };
    for (const { metadata } of this.cluster.storage.list(kind)) {
      this.cluster.storage.remove(kind, metadata.namespace, metadata.name);
    }
  }
}

function nameOf({ metadata }: KubeObject): { namespace: string | undefined; name: string } {
  return { namespace: metadata.namespace, name: metadata.name };
}
