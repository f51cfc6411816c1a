import assert from "node:assert/strict";
import { ApiError } from "../../../test/kubernetes/api-error.ts";
import type { JsonObject } from "../../../test/kubernetes/json.ts";
import { isEnded, type RunState } from "../../run/run-state.ts";
import type { Action } from "./actions.ts";
import { agentsIn, isAgents } from "./agents.ts";
import { DRIFTS, type Drift, meddle } from "./drift-fixture.ts";
import { jobWith, runWith, START_MS, seenOf } from "./job-fixture.ts";
import { isTrue } from "./job-status.ts";
import { ModelCluster } from "./model-cluster-fixture.ts";
import type { Observation, ObservedJob, ObservedObject, ObservedRun } from "./observation.ts";
import { reconcile } from "./reconcile.ts";
import { hasBeenOver } from "./standing.ts";

/** What a person, Kubernetes, the coordinator or bad luck does. */
export type Event =
  | { kind: "edit"; spec: Record<string, unknown> }
  | { kind: "deleteChild"; index: number }
  | { kind: "annotateChild" | "changeChild"; index: number }
  | { kind: "driftChild"; index: number; drift: Drift }
  | { kind: "admit" | "takeNodes" | "deleteJob" | "restartOperator" | "forgetRun" }
  | { kind: "run"; to: RunState; counted: boolean }
  | { kind: "wait"; ms: number }
  /** The operator looks at the world as it was some events ago, and may die within its actions. */
  | { kind: "look"; staleBy: number; numActions: number };

const NOTE = "example.com/note";
const UID = "0f9c";
/** What is changed of which child. */
const CHANGES: Record<string, JsonObject> = {
  Job: { parallelism: 7, completions: 7 },
  PodDisruptionBudget: { minAvailable: 7 },
  NetworkPolicy: { policyTypes: ["Ingress"] },
};

/** A job, its children, its run and an operator, and the rules that hold at every moment. */
export class OperatorModel {
  job: ObservedJob | undefined;
  run: ObservedRun | undefined;
  /** The coordinator keeps runs that are over for a while only. */
  forgotten: ObservedRun | undefined;
  pods: ObservedObject[] = [];
  numSubmitted = 0;
  numAdmissions = 0;
  readonly cluster: ModelCluster;
  private nowMs = START_MS;
  private statusAtMs: number | undefined;
  private isAdmitted = false;
  private readonly past: Observation[] = [];
  private readonly isWebhookThere: boolean;

  /** @param isMeddledWith whether an admission webhook changes what is said, at every write */
  constructor(spec: Record<string, unknown>, isWebhookThere: boolean, isMeddledWith = false) {
    this.isWebhookThere = isWebhookThere;
    const change = isMeddledWith ? meddle : undefined;
    this.cluster = new ModelCluster(() => this.nowMs, isWebhookThere, change);
    this.job = jobWith(spec);
    this.remember();
  }

  children(): ObservedObject[] {
    return this.cluster.children(UID);
  }

  agents(): (ObservedObject & { spec: JsonObject }) | undefined {
    const found = this.children().find(isAgents);
    return found as (ObservedObject & { spec: JsonObject }) | undefined;
  }

  happen(event: Event): void {
    this.handle(event);
    if (event.kind !== "look") this.playJobController();
    this.remember();
  }

  /** A look at the world as it is, done whole; gives back what was to be done. */
  look(): Action[] {
    const done = this.lookAt(this.past.at(-1), Number.POSITIVE_INFINITY);
    this.remember();
    return done;
  }

  private handle(event: Event): void {
    const { kind } = event;
    if (kind === "edit") this.editSpec(event.spec);
    else if (kind === "wait") this.nowMs += event.ms;
    else if (kind === "restartOperator") this.statusAtMs = undefined;
    else if (kind === "deleteJob") this.deleteJob();
    else if (kind === "forgetRun") this.forgetRun();
    else if (kind === "run") this.moveRun(event.to, event.counted);
    else if (kind === "admit" || kind === "takeNodes") this.queueSays(kind === "takeNodes");
    else if (kind === "look") this.lookAt(this.past.at(-1 - event.staleBy), event.numActions);
    else if ("index" in event) {
      const children = this.children();
      const child = children[event.index % Math.max(1, children.length)];
      if (child === undefined) return;
      const { apiVersion, kind: childKind, metadata } = child;
      const { name, uid } = metadata;
      if (kind === "deleteChild") this.cluster.delete({ apiVersion, kind: childKind, name, uid });
      else if (kind === "annotateChild") this.annotate(child);
      else if (event.kind === "driftChild")
        this.cluster.edit(child, "kubectl-edit", DRIFTS[event.drift]);
      else this.change(child);
    }
  }

  /** As kubectl edit does, past the operator. */
  private change(child: ObservedObject): void {
    const change = CHANGES[child.kind];
    if (change === undefined) return;
    this.cluster.edit(child, "kubectl-edit", ({ spec }) =>
      Object.assign(spec as JsonObject, change),
    );
  }

  private annotate(child: ObservedObject): void {
    this.cluster.edit(child, "somebody", ({ metadata }) => {
      metadata.annotations = { ...metadata.annotations, [NOTE]: "keep" };
    });
  }

  private editSpec(own: Record<string, unknown>): void {
    if (this.job === undefined) return;
    const { generation, resourceVersion } = this.job.metadata;
    // The API server lets the queue be changed only while the job is suspended.
    const { queueName: _, ...rest } = own;
    const allowed = this.job.spec.suspend === true ? own : rest;
    this.job = {
      ...this.job,
      metadata: {
        ...this.job.metadata,
        generation: generation + 1,
        resourceVersion: String(Number(resourceVersion) + 1),
      },
      spec: { ...this.job.spec, ...allowed },
    };
  }

  /** Garbage collection takes everything that the job owns. */
  private deleteJob(): void {
    this.job = undefined;
    for (const { apiVersion, kind, metadata } of this.children()) {
      this.cluster.delete({ apiVersion, kind, name: metadata.name, uid: metadata.uid });
    }
  }

  private moveRun(to: RunState, isCounted: boolean): void {
    const { run } = this;
    if (run === undefined) return;
    const needsPods = to === "running" || to === "succeeded";
    if (needsPods && this.pods.length === 0) return;
    const allowed: Partial<Record<RunState, RunState[]>> = {
      queued: ["running", "failed"],
      running: ["recovering", "succeeded", "failed"],
      recovering: ["running", "failed"],
      suspending: ["suspended"],
    };
    if (!allowed[run.state]?.includes(to)) return;
    const restarts = run.restarts + (to === "recovering" ? 1 : 0);
    const countedRestarts = run.countedRestarts + (to === "recovering" && isCounted ? 1 : 0);
    const numRanks = to === "running" ? run.maxRanks : 0;
    this.run = { ...run, state: to, restarts, countedRestarts, numRanks, step: run.step + 1 };
  }

  private forgetRun(): void {
    const { status } = this.job ?? {};
    if (!isTrue(status, "Succeeded") && !isTrue(status, "Failed")) return;
    if (this.run === undefined || !isEnded(this.run.state)) return;
    this.forgotten = this.run;
    this.run = undefined;
  }

  private isQueued(): boolean {
    return this.isWebhookThere || this.job?.spec.queueName !== undefined;
  }

  private queueSays(suspend: boolean): void {
    const agents = this.agents();
    if (agents === undefined || !this.isQueued()) return;
    // A queue does not admit what a person holds back.
    if (agents.spec.suspend === suspend || (!suspend && this.job?.spec.suspend === true)) return;
    this.isAdmitted = !suspend;
    this.cluster.edit(agents, "kueue", (live) => {
      Object.assign(live.spec as JsonObject, { suspend });
    });
  }

  /** Pods are there while their job is, and is not suspended. */
  private playJobController(): void {
    const agents = this.agents();
    const isOff = agents === undefined || agents.spec.suspend === true;
    const count = isOff ? 0 : (agentsIn([agents])?.numPods ?? 0);
    if (isOff) this.isAdmitted = false;
    if (this.pods.length === 0 && count > 0) {
      this.numAdmissions += 1;
      assert.ok(!this.isQueued() || this.isAdmitted, "pods start before the queue admits them");
    }
    this.pods = Array.from({ length: count }, (_, index) => ({
      ...{ apiVersion: "v1", kind: "Pod" },
      metadata: { name: `tiny-agents-${index}`, uid: `pod-${index}`, resourceVersion: "1" },
      status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] },
    }));
  }

  private remember(): void {
    const { job, pods, run, nowMs } = this;
    if (job === undefined) return;
    this.past.push(seenOf(structuredClone(job), { children: this.children(), pods, run, nowMs }));
  }

  private lookAt(then: Observation | undefined, numActions: number): Action[] {
    if (then === undefined) return [];
    const { statusAtMs, nowMs } = this;
    const { verdict } = then;
    const judged = hasBeenOver(then.job) ? { kind: "notNeeded" as const } : verdict;
    const actions = reconcile({ ...then, verdict: judged, nowMs, statusAtMs }).actions.slice(
      0,
      numActions,
    );
    assert.ok(actions.filter(({ kind }) => kind === "patchStatus").length <= 1);
    for (const action of actions) {
      const hadPods = this.pods.length > 0;
      try {
        this.carryOut(action);
      } catch (error) {
        // It looks again, at what is there then.
        if (error instanceof ApiError && [404, 409].includes(error.code)) break;
        throw error;
      }
      this.playJobController();
      const isStart = !hadPods && this.pods.length > 0;
      assert.ok(!isStart || then.job.spec.suspend !== true, "pods start while suspended");
      const wasOver = isTrue(then.job.status, "Succeeded") || isEnded(then.run?.state ?? "queued");
      assert.ok(!isStart || !wasOver, "pods start for a job that is over");
      const isEnd = hadPods && this.pods.length === 0;
      const holdsNodes = ["running", "recovering", "suspending"].includes(then.run?.state ?? "");
      assert.ok(!isEnd || !holdsNodes, "pods end before the run has let them go");
    }
    return actions;
  }

  private carryOut(action: Action): void {
    if (action.kind === "applyChild") {
      const { child, resourceVersion } = action;
      assert.ok(!(NOTE in (child.metadata.annotations ?? {})), "another's field is applied");
      // Garbage collection takes what is made for an owner that is gone.
      if (this.job === undefined) return;
      const noted = this.notedChildren();
      this.cluster.apply(child, resourceVersion);
      assert.deepEqual(this.notedChildren(), noted, "another's field is overwritten");
    } else if (action.kind === "deleteChild") this.cluster.delete(action.child);
    else if (action.kind === "patchStatus") {
      if (this.job?.metadata.resourceVersion !== action.resourceVersion) {
        throw new ApiError(409, "Conflict", "it was changed since");
      }
      const resourceVersion = String(Number(action.resourceVersion) + 1);
      const metadata = { ...this.job.metadata, resourceVersion };
      this.job = { ...this.job, metadata, status: action.status };
      this.statusAtMs = this.nowMs;
    } else this.wish(action);
  }

  private notedChildren(): string[] {
    return this.children()
      .filter(({ metadata }) => metadata.annotations?.[NOTE] === "keep")
      .map(({ kind }) => kind);
  }

  /** The coordinator knows a run's id, and takes every wish as often as it comes. */
  private wish(action: Action): void {
    if (action.kind === "submitRun") {
      if (this.run !== undefined) return;
      this.numSubmitted += 1;
      const { minRanks, maxRanks } = action;
      this.run = runWith({ minRanks, maxRanks });
      return;
    }
    const { run } = this;
    if (run === undefined || isEnded(run.state)) return;
    if (action.kind === "scaleRun") {
      const { minRanks, maxRanks } = action;
      this.run = { ...run, minRanks, maxRanks, numRanks: Math.min(run.numRanks, maxRanks) };
    } else if (action.kind === "cancelRun") this.run = { ...run, state: "stopped", numRanks: 0 };
    else if (action.kind === "suspendRun") {
      const isPlaced = run.state === "running" || run.state === "recovering";
      if (run.state !== "suspended") {
        this.run = { ...run, state: isPlaced ? "suspending" : "suspended" };
      }
    } else if (action.kind === "resumeRun" && run.state === "suspended") {
      this.run = { ...run, state: "queued" };
    }
  }
}
