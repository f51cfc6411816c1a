import type { Cluster } from "../cluster.ts";
import { type JsonObject, type KubeObject, objectsAt } from "../json.ts";
import { remove } from "../registry/delete.ts";
import { setDisrupted } from "../registry/evict.ts";
import { schedule } from "./schedule.ts";

const PODS = { group: "", plural: "pods" };
const NODES = { group: "", plural: "nodes" };

/** Writes a node that is ready. */
export function putNode(
  cluster: Cluster,
  name: string,
  labels: { [key: string]: string },
  allocatable: JsonObject,
): void {
  cluster.storage.put(NODES, {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name,
      uid: cluster.newUid(),
      creationTimestamp: cluster.timestamp(),
      labels: { "kubernetes.io/hostname": name, ...labels },
    },
    spec: {},
    status: { allocatable, conditions: [readiness(cluster, "True", "KubeletReady")] },
  });
}

function readiness(cluster: Cluster, status: string, reason: string): JsonObject {
  return { type: "Ready", status, reason, lastTransitionTime: cluster.timestamp() };
}

/** Says of a node that nothing is heard of it. */
export function setUnknown(cluster: Cluster, name: string): void {
  const node = cluster.storage.get(NODES, undefined, name);
  if (!node) return;
  const conditions = [readiness(cluster, "Unknown", "NodeStatusUnknown")];
  cluster.storage.put(NODES, { ...node, status: { ...node.status, conditions } });
}

/** Deletes a pod whose node is no more, as the pod collector does. */
export function collectPod(cluster: Cluster, pod: KubeObject): void {
  const { namespace, name } = pod.metadata;
  pod.status = { ...pod.status, phase: "Failed" };
  setDisrupted(cluster, pod, "DeletionByPodGC", "PodGC: node no longer exists");
  const options = { gracePeriodSeconds: 0 };
  remove(cluster, cluster.resource("", "v1", "pods"), namespace, name, options);
}

/** Binds a pod to a node, or says in its conditions why it cannot be. */
export function place(
  cluster: Cluster,
  pod: KubeObject,
  nodes: readonly KubeObject[],
  pods: readonly KubeObject[],
): void {
  const isGated = objectsAt(pod, "spec", "schedulingGates").length > 0;
  if (isGated || pod.metadata.deletionTimestamp !== undefined) return;
  const found = schedule(pod, nodes, pods);
  const isPlaced = "node" in found;
  const old = objectsAt(pod, "status", "conditions").find(({ type }) => type === "PodScheduled");
  if (!isPlaced && old?.message === found.message) return;
  const condition: JsonObject = {
    ...{ type: "PodScheduled", status: isPlaced ? "True" : "False" },
    lastTransitionTime: cluster.timestamp(),
    ...(isPlaced ? {} : { reason: "Unschedulable", message: found.message }),
  };
  pod.status = { ...pod.status, conditions: [condition] };
  if (isPlaced) pod.spec = { ...pod.spec, nodeName: found.node };
  cluster.storage.put(PODS, pod);
}
