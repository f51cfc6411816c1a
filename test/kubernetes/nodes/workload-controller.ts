import { createHash } from "node:crypto";
import { ApiError } from "../api-error.ts";
import type { Cluster } from "../cluster.ts";
import {
  at,
  canonical,
  copy,
  isObject,
  type JsonObject,
  type KubeObject,
  objectsAt,
  same,
} from "../json.ts";
import { remove } from "../registry/delete.ts";
import { create } from "../registry/write.ts";
import { isOver } from "./job-ledger.ts";

const PODS = { group: "", plural: "pods" };
const KINDS = ["deployments", "statefulsets"] as const;
const HASH = "pod-template-hash";

/**
 * Plays the controllers of Deployments and StatefulSets in their simple form: as many pods of
 * the template as there are replicas, owned without a ReplicaSet between, old ones replaced.
 */
export class WorkloadController {
  private readonly cluster: Cluster;
  private readonly unsubscribe: () => void;
  private isWaiting = false;
  private isStopped = false;

  constructor(cluster: Cluster) {
    this.cluster = cluster;
    this.unsubscribe = cluster.storage.subscribe(({ key, object }) => {
      const isOurs = object.metadata.ownerReferences?.some(
        ({ apiVersion }) => apiVersion === "apps/v1",
      );
      if (!key.startsWith("apps/") && !(key === "/pods" && isOurs)) return;
      if (this.isWaiting) return;
      this.isWaiting = true;
      setImmediate(() => this.work());
    });
  }

  stop(): void {
    this.isStopped = true;
    this.unsubscribe();
  }

  private work(): void {
    this.isWaiting = false;
    if (this.isStopped) return;
    for (const plural of KINDS) {
      for (const object of this.cluster.storage.list({ group: "apps", plural })) {
        if (object.metadata.deletionTimestamp === undefined) this.sync(object, plural);
      }
    }
  }

  private sync(object: KubeObject, plural: (typeof KINDS)[number]): void {
    const { storage } = this.cluster;
    const { namespace = "", uid } = object.metadata;
    const own = ({ metadata }: KubeObject): boolean =>
      metadata.ownerReferences?.some((owner) => owner.uid === uid) === true;
    const hash = hashOf(object);
    const replicas = Number(object.spec?.replicas ?? 1);
    const alive = storage
      .list(PODS, namespace, own)
      .filter((pod) => pod.metadata.deletionTimestamp === undefined);
    const isStateful = plural === "statefulsets";
    const kept = alive.filter((pod) => !isOver(pod) && pod.metadata.labels?.[HASH] === hash);
    const names = Array.from(
      { length: replicas },
      (_, index) => `${object.metadata.name}-${index}`,
    );
    const extra = isStateful
      ? kept.filter(({ metadata }) => !names.includes(metadata.name))
      : kept.slice(replicas);
    const podKind = this.cluster.resource("", "v1", "pods");
    for (const pod of [...alive.filter((each) => !kept.includes(each)), ...extra]) {
      remove(this.cluster, podKind, namespace, pod.metadata.name);
    }
    const missing = isStateful
      ? names.filter((name) => !storage.get(PODS, namespace, name))
      : names.slice(Math.min(kept.length, replicas)).map(() => undefined);
    for (const name of missing) this.createPod(podOf(object, hash, name));
    const pods = storage.list(PODS, namespace, own).filter((pod) => !isOver(pod));
    const status = { ...object.status, ...statusOf(object, pods, this.cluster.timestamp()) };
    const live = storage.get({ group: "apps", plural }, namespace, object.metadata.name);
    if (live && !same(live.status, status))
      storage.put({ group: "apps", plural }, { ...live, status });
  }

  /** A pod that is refused is tried again at the next change. */
  private createPod(pod: KubeObject): void {
    try {
      const kind = this.cluster.resource("", "v1", "pods");
      const options = { manager: "kube-controller-manager" };
      create(this.cluster, kind, pod.metadata.namespace, pod, options);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }
}

function hashOf(object: KubeObject): string {
  const text = canonical(at(object, "spec", "template"));
  return createHash("sha256").update(text).digest("hex").slice(0, 10);
}

function podOf(object: KubeObject, hash: string, name: string | undefined): KubeObject {
  const template = isObject(object.spec?.template) ? copy(object.spec.template) : {};
  const { metadata = {}, spec = {} } = template as { metadata?: JsonObject; spec?: JsonObject };
  const { apiVersion, kind } = object;
  const { name: owner, namespace = "", uid = "" } = object.metadata;
  const labels = isObject(metadata.labels) ? metadata.labels : {};
  if (name !== undefined) {
    spec.hostname = name;
    const claims = objectsAt(object, "spec", "volumeClaimTemplates").map((claim) => {
      const volume = String(at(claim, "metadata", "name"));
      return { name: volume, persistentVolumeClaim: { claimName: `${volume}-${name}` } };
    });
    spec.volumes = [...objectsAt(spec, "volumes"), ...claims];
  }
  return {
    ...{ apiVersion: "v1", kind: "Pod", spec },
    metadata: {
      ...(metadata as JsonObject),
      ...(name === undefined ? { name: "", generateName: `${owner}-${hash}-` } : { name }),
      namespace,
      labels: { ...labels, [HASH]: hash } as { [key: string]: string },
      ownerReferences: [
        { apiVersion, kind, name: owner, uid, controller: true, blockOwnerDeletion: true },
      ],
    },
  };
}

function statusOf(object: KubeObject, pods: readonly KubeObject[], now: string): JsonObject {
  const isReady = (pod: KubeObject): boolean =>
    objectsAt(pod, "status", "conditions").some(
      ({ type, status }) => type === "Ready" && status === "True",
    );
  const ready = pods.filter(isReady).length;
  const replicas = pods.length;
  const isAvailable = ready >= Number(object.spec?.replicas ?? 1);
  const old = objectsAt(object, "status", "conditions").find(({ type }) => type === "Available");
  const status = isAvailable ? "True" : "False";
  const condition =
    old?.status === status
      ? old
      : { type: "Available", status, reason: "MinimumReplicas", lastTransitionTime: now };
  return {
    observedGeneration: object.metadata.generation ?? 0,
    ...{ replicas, updatedReplicas: replicas, readyReplicas: ready, availableReplicas: ready },
    conditions: [condition],
  };
}
