import { existsSync, readdirSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import type { Tokens } from "../access/tokens.ts";
import { notFound } from "../api-error.ts";
import type { Cluster } from "../cluster.ts";
import type { Route } from "../http/route.ts";
import { type JsonObject, type KubeObject, textAt } from "../json.ts";
import { remove } from "../registry/delete.ts";
import { evict } from "../registry/evict.ts";
import { JobController } from "./job-controller.ts";
import type { Image } from "./launch.ts";
import { collectPod, place, putNode, setUnknown } from "./node-objects.ts";
import { claimFolder } from "./pod-files.ts";
import { writePodLog } from "./pod-log.ts";
import { PodWorker } from "./pod-worker.ts";
import { WorkloadController } from "./workload-controller.ts";

const PODS = { group: "", plural: "pods" };
const NODES = { group: "", plural: "nodes" };

export type NodesOptions = {
  cluster: Cluster;
  tokens: Tokens;
  directory: string;
  names: readonly string[];
  images: { [image: string]: Image };
};

/** Scheduler, kubelets and controllers of the cluster that is played. */
export class Nodes {
  private readonly options: NodesOptions;
  private readonly cluster: Cluster;
  private readonly workers = new Map<string, PodWorker>();
  private readonly lost = new Set<string>();
  private readonly unpullable = new Set<string>();
  private readonly jobs: JobController;
  private readonly workloads: WorkloadController;
  private readonly unsubscribe: () => void;
  private isWaiting = false;
  private isStopped = false;
  private numAddresses = 0;
  /** What containers are told of, as Service `kubernetes`. */
  apiServer: { host: string; port: number } | undefined;
  /** Changes the words and variables of containers: names that no DNS here knows. */
  rewrite: (text: string, pod: KubeObject) => string = (text) => text;

  constructor(options: NodesOptions) {
    this.options = options;
    this.cluster = options.cluster;
    this.jobs = new JobController(options.cluster);
    this.workloads = new WorkloadController(options.cluster);
    this.unsubscribe = this.cluster.storage.subscribe(({ key }) => {
      if (key === "/pods" || key === "/nodes") this.wake();
    });
    for (const name of options.names) this.add(name);
    process.once("exit", this.killAll);
  }

  /** No process outlives the test that it was started for. */
  private readonly killAll = (): void => {
    for (const worker of this.workers.values()) worker.lose();
  };

  /** Adds a node; of extended resources it has what `allocatable` says. */
  add(name: string, labels: { [key: string]: string } = {}, allocatable: JsonObject = {}): void {
    this.lost.delete(name);
    putNode(this.cluster, name, labels, allocatable);
  }

  /** A node falls silent: its processes end and it says nothing of it; it is not ready. */
  lose(name: string): void {
    this.lost.add(name);
    for (const pod of this.podsOn(name)) this.workers.get(pod.metadata.uid ?? "")?.lose();
    setUnknown(this.cluster, name);
  }

  /** A lost node is given up: it and its pods are deleted, as the pod collector does. */
  forget(name: string): void {
    this.lose(name);
    for (const pod of this.podsOn(name)) collectPod(this.cluster, pod);
    this.cluster.storage.remove(NODES, undefined, name);
  }

  /** Evicts a pod through the eviction API's own way. */
  evict(namespace: string, name: string): void {
    evict(this.cluster, namespace, name);
  }

  /** From now on an image can, or cannot, be pulled. */
  setPullable(image: string, isPullable: boolean): void {
    if (isPullable) this.unpullable.delete(image);
    else this.unpullable.add(image);
  }

  /** Process ids of a pod's containers that run. */
  pidsOf(namespace: string, name: string): Map<string, number> {
    const uid = this.cluster.storage.get(PODS, namespace, name)?.metadata.uid ?? "";
    return this.workers.get(uid)?.pids ?? new Map();
  }

  /** Names of what lies in a claim, at its top; none before a pod has mounted it. */
  namesIn(namespace: string, claim: string): string[] {
    const folder = claimFolder(this.options.directory, namespace, claim);
    return existsSync(folder) ? readdirSync(folder).sort() : [];
  }

  private podsOn(name: string): KubeObject[] {
    const isOn = (pod: KubeObject): boolean => textAt(pod, "spec", "nodeName") === name;
    return this.cluster.storage.list(PODS, undefined, isOn);
  }

  private wake(): void {
    if (this.isWaiting || this.isStopped) return;
    this.isWaiting = true;
    setImmediate(() => {
      this.isWaiting = false;
      if (!this.isStopped) this.work();
    });
  }

  private work(): void {
    const nodes = this.cluster.storage.list(NODES);
    if (nodes.length === 0) return;
    const pods = this.cluster.storage.list(PODS);
    for (const pod of pods) {
      const node = textAt(pod, "spec", "nodeName");
      if (node === "") place(this.cluster, pod, nodes, pods);
      else if (nodes.some(({ metadata }) => metadata.name === node)) this.run(pod, node);
    }
  }

  private run(pod: KubeObject, node: string): void {
    const { uid = "", deletionTimestamp, deletionGracePeriodSeconds = 30 } = pod.metadata;
    if (this.lost.has(node)) return;
    const known = this.workers.get(uid);
    if (deletionTimestamp !== undefined) {
      if (known) void known.end(deletionGracePeriodSeconds);
      else
        remove(
          this.cluster,
          this.cluster.resource("", "v1", "pods"),
          pod.metadata.namespace,
          pod.metadata.name,
          { gracePeriodSeconds: 0 },
        );
      return;
    }
    if (known || ["Succeeded", "Failed"].includes(textAt(pod, "status", "phase"))) return;
    this.numAddresses += 1;
    const { images, directory } = this.options;
    const worker = new PodWorker(pod, {
      ...this.options,
      directory: join(directory, uid),
      podIP: `127.1.${Math.floor(this.numAddresses / 250) % 250}.${(this.numAddresses % 250) + 1}`,
      service: this.serviceVariables(),
      imageOf: (image) => (this.unpullable.has(image) ? undefined : images[image]),
      rewrite: (text, of) => this.rewrite(text, of),
    });
    this.workers.set(uid, worker);
  }

  private serviceVariables(): { [name: string]: string } {
    if (this.apiServer === undefined) return {};
    const { host, port } = this.apiServer;
    return { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: String(port) };
  }

  /** Answers `kubectl logs`. Throws an ApiError where there is nothing to read. */
  async writeLog(route: Route, query: URLSearchParams, response: ServerResponse): Promise<void> {
    const { namespace, name = "" } = route;
    const pod = this.cluster.storage.get(PODS, namespace, name);
    if (!pod) throw notFound({ group: "", plural: "pods", kind: "Pod", name });
    await writePodLog(pod, this.workers.get(pod.metadata.uid ?? ""), query, response);
  }

  /** Ends every process that was started here. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.unsubscribe();
    this.jobs.stop();
    this.workloads.stop();
    process.off("exit", this.killAll);
    this.killAll();
    await Promise.all([...this.workers.values()].map(({ done }) => done));
  }
}
