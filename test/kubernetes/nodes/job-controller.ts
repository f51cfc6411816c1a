import { ApiError } from "../api-error.ts";
import type { Cluster } from "../cluster.ts";
import { type KubeObject, same, textAt } from "../json.ts";
import { remove } from "../registry/delete.ts";
import { create } from "../registry/write.ts";
import type { Change } from "../storage.ts";
import { recordEvent } from "./events.ts";
import { enter, type Ledger, newLedger } from "./job-ledger.ts";
import { endOf, type JobPlan, planJob } from "./job-plan.ts";
import { podOf } from "./job-pod.ts";
import { jobStatus } from "./job-status.ts";

const JOBS = { group: "batch", plural: "jobs" };
const PODS = { group: "", plural: "pods" };
const MANAGER = "kube-controller-manager";
/** What waits for time to pass, such as deadlines, is looked at this often. */
const LOOK_MS = 250;

/** Plays the Job controller: makes pods, counts how they end, says so in the Job's status. */
export class JobController {
  private readonly cluster: Cluster;
  private readonly ledgers = new Map<string, Ledger>();
  private readonly unsubscribe: () => void;
  private readonly timer: NodeJS.Timeout;
  private readonly dirty = new Set<string>();
  private isStopped = false;

  constructor(cluster: Cluster) {
    this.cluster = cluster;
    this.unsubscribe = cluster.storage.subscribe((change) => this.see(change));
    this.timer = setInterval(() => this.lookAtAll(), LOOK_MS);
    this.timer.unref();
  }

  stop(): void {
    this.isStopped = true;
    this.unsubscribe();
    clearInterval(this.timer);
  }

  private see({ key, type, object }: Change): void {
    const { namespace = "", name, uid = "" } = object.metadata;
    if (key === "batch/jobs") {
      if (type === "DELETED") this.ledgers.delete(uid);
      else this.mark(`${namespace}/${name}`);
    }
    if (key !== "/pods") return;
    const owner = object.metadata.ownerReferences?.find(({ kind }) => kind === "Job");
    if (!owner) return;
    const job = this.cluster.storage.get(JOBS, namespace, owner.name);
    if (job?.metadata.uid !== owner.uid) return;
    // At once: a pod that is gone can be looked at no more.
    const facts = { isGone: type === "DELETED", nowMs: this.cluster.now() };
    enter(this.ledgerOf(job), job, object, facts);
    this.mark(`${namespace}/${owner.name}`);
  }

  private mark(name: string): void {
    this.dirty.add(name);
    if (this.dirty.size === 1) setImmediate(() => this.work());
  }

  private lookAtAll(): void {
    const isTimed = ({ spec }: KubeObject): boolean =>
      (spec?.activeDeadlineSeconds ?? spec?.ttlSecondsAfterFinished) !== undefined;
    for (const { metadata } of this.cluster.storage.list(JOBS, undefined, isTimed)) {
      this.mark(`${metadata.namespace}/${metadata.name}`);
    }
  }

  private work(): void {
    const names = [...this.dirty];
    this.dirty.clear();
    if (this.isStopped) return;
    for (const name of names) {
      const [namespace = "", job = ""] = name.split("/");
      const found = this.cluster.storage.get(JOBS, namespace, job);
      const manager = found?.spec?.managedBy ?? "kubernetes.io/job-controller";
      if (found && manager === "kubernetes.io/job-controller") this.sync(found);
    }
  }

  private ledgerOf({ metadata }: KubeObject): Ledger {
    const ledger = this.ledgers.get(metadata.uid ?? "") ?? newLedger();
    this.ledgers.set(metadata.uid ?? "", ledger);
    return ledger;
  }

  private sync(job: KubeObject): void {
    const { cluster } = this;
    const { namespace = "", name, uid } = job.metadata;
    if (job.metadata.deletionTimestamp !== undefined) return;
    if (endOf(job)) {
      this.expire(job);
      return;
    }
    const own = ({ metadata }: KubeObject): boolean =>
      metadata.ownerReferences?.some((owner) => owner.uid === uid) === true;
    const pods = cluster.storage.list(PODS, namespace, own);
    const ledger = this.ledgerOf(job);
    const nowMs = cluster.now();
    const startedMs = Date.parse(textAt(job, "status", "startTime")) || nowMs;
    const plan = planJob(job, pods, ledger, { nowMs, startedMs });
    const podKind = cluster.resource("", "v1", "pods");
    for (const pod of plan.remove) remove(cluster, podKind, namespace, pod.metadata.name);
    for (const index of plan.create) {
      if (!this.createPod(job, index)) break;
    }
    const now = cluster.storage.list(PODS, namespace, own);
    const status = jobStatus(job, now, ledger, plan.outcome, cluster.timestamp());
    const live = cluster.storage.get(JOBS, namespace, name);
    if (!live || same(status, live.status)) return;
    const stored = cluster.storage.put(JOBS, { ...live, status });
    if (endOf(stored) && plan.outcome) this.tellEnd(job, plan.outcome);
  }

  private tellEnd(job: KubeObject, outcome: NonNullable<JobPlan["outcome"]>): void {
    const isComplete = outcome.type === "Complete";
    recordEvent(this.cluster, job, {
      type: isComplete ? "Normal" : "Warning",
      reason: isComplete ? "Completed" : outcome.reason,
      message: isComplete ? "Job completed" : outcome.message,
    });
  }

  /** False where the pod is refused, as by a quota; it is tried again at the next change. */
  private createPod(job: KubeObject, index: number | undefined): boolean {
    const { cluster } = this;
    const { namespace } = job.metadata;
    try {
      const kind = cluster.resource("", "v1", "pods");
      const { object } = create(cluster, kind, namespace, podOf(job, index), { manager: MANAGER });
      const message = `Created pod: ${object.metadata.name}`;
      recordEvent(cluster, job, { type: "Normal", reason: "SuccessfulCreate", message });
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const message = `Error creating: ${error.message}`;
      recordEvent(cluster, job, { type: "Warning", reason: "FailedCreate", message });
      setTimeout(() => this.mark(`${namespace}/${job.metadata.name}`), LOOK_MS).unref();
      return false;
    }
  }

  private expire(job: KubeObject): void {
    const ttl = job.spec?.ttlSecondsAfterFinished;
    if (typeof ttl !== "number") return;
    const conditions = job.status?.conditions;
    const last = Array.isArray(conditions) ? conditions.at(-1) : undefined;
    const endedMs = Date.parse(textAt(last, "lastTransitionTime"));
    if (this.cluster.now() < endedMs + ttl * 1000) return;
    const { namespace, name } = job.metadata;
    remove(this.cluster, this.cluster.resource("batch", "v1", "jobs"), namespace, name);
  }
}
