import { mkdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type JsonObject, type KubeObject, objectsAt, same, textAt } from "../json.ts";
import { remove } from "../registry/delete.ts";
import type { Ending, Running } from "./container.ts";
import { launch, type WorkerOptions } from "./launch.ts";
import { type ContainerReport, podStatus } from "./pod-status.ts";

const PODS = { group: "", plural: "pods" };
const RETRY_MS = 200;

/** What a kubelet does for one pod: files, processes, status, and the end of them. */
export class PodWorker {
  private readonly pod: KubeObject;
  private readonly options: WorkerOptions;
  private readonly reports = new Map<string, ContainerReport>();
  private readonly running = new Map<string, Running>();
  private readonly startTime: string;
  private isStopping = false;
  private isLost = false;
  readonly done: Promise<void>;

  constructor(pod: KubeObject, options: WorkerOptions) {
    this.pod = pod;
    this.options = options;
    this.startTime = options.cluster.timestamp();
    this.done = this.run();
  }

  get logDirectory(): string {
    return this.options.directory;
  }

  /** Ids of the processes that run, by container. */
  get pids(): Map<string, number> {
    const all = [...this.running].map(([name, { pid }]) => [name, pid] as const);
    return new Map(all.filter((each): each is [string, number] => each[1] !== undefined));
  }

  /** Ends the pod's processes, first kindly; the pod is gone from the API after that. */
  async end(graceSeconds: number): Promise<void> {
    if (this.isStopping) return;
    this.isStopping = true;
    for (const each of this.running.values()) each.signal("SIGTERM");
    const timer = setTimeout(() => this.kill(), graceSeconds * 1000);
    await this.done;
    clearTimeout(timer);
    if (this.isLost) return;
    const { namespace, name } = this.pod.metadata;
    const live = this.live();
    if (!live) return;
    const resource = this.options.cluster.resource("", "v1", "pods");
    remove(this.options.cluster, resource, namespace, name, { gracePeriodSeconds: 0 });
  }

  /** The node is no more: processes end, and nobody says so. */
  lose(): void {
    this.isLost = true;
    this.isStopping = true;
    this.kill();
  }

  private kill(): void {
    for (const each of this.running.values()) each.signal("SIGKILL");
  }

  private live(): KubeObject | undefined {
    const { namespace, name, uid } = this.pod.metadata;
    const live = this.options.cluster.storage.get(PODS, namespace, name);
    return live?.metadata.uid === uid ? live : undefined;
  }

  private async run(): Promise<void> {
    mkdirSync(this.options.directory, { recursive: true });
    for (const container of objectsAt(this.pod, "spec", "initContainers")) {
      const { exitCode } = await this.runOnce(container);
      if (this.isStopping) break;
      if (exitCode !== 0) {
        // An init container that fails is the pod's failure.
        for (const { name } of objectsAt(this.pod, "spec", "containers")) {
          this.finish(String(name), { exitCode }, this.startTime, 0);
        }
        return this.report();
      }
    }
    const containers = objectsAt(this.pod, "spec", "containers");
    await Promise.all(containers.map((container) => this.keepRunning(container)));
  }

  private async keepRunning(container: JsonObject): Promise<void> {
    const policy = textAt(this.pod, "spec", "restartPolicy");
    for (let restartCount = 0; ; restartCount += 1) {
      const { exitCode } = await this.runOnce(container, restartCount);
      const isOver = policy === "Never" || (policy === "OnFailure" && exitCode === 0);
      if (isOver || this.isStopping) return;
      await sleep(RETRY_MS);
      if (this.isStopping) return;
    }
  }

  /** One life of a container; what keeps it from starting is tried again until the pod ends. */
  private async runOnce(container: JsonObject, restartCount = 0): Promise<Ending> {
    const name = textAt(container, "name");
    let startedAt = this.options.cluster.timestamp();
    while (!this.isStopping) {
      const started = launch(this.pod, container, this.options);
      startedAt = this.options.cluster.timestamp();
      if ("ended" in started) {
        this.running.set(name, started);
        this.reports.set(name, { state: { is: "running", startedAt }, restartCount });
        this.report();
        const ending = await started.ended;
        this.running.delete(name);
        this.finish(name, ending, startedAt, restartCount);
        this.report();
        return ending;
      }
      this.reports.set(name, { state: { is: "waiting", ...started }, restartCount });
      this.report();
      await sleep(RETRY_MS);
    }
    const ending = { exitCode: 137, signal: 9 };
    this.finish(name, ending, startedAt, restartCount);
    this.report();
    return ending;
  }

  private finish(name: string, ending: Ending, startedAt: string, restartCount: number): void {
    const finishedAt = this.options.cluster.timestamp();
    const state = { is: "terminated" as const, ending, startedAt, finishedAt };
    this.reports.set(name, { state, restartCount });
  }

  private report(): void {
    const live = this.live();
    if (!live || this.isLost) return;
    const { cluster, podIP } = this.options;
    const facts = { now: cluster.timestamp(), podIP, startTime: this.startTime };
    const status = podStatus(live, this.reports, facts);
    if (!same(status, live.status)) cluster.storage.put(PODS, { ...live, status });
  }
}
