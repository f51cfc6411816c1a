import type { ChildrenOptions } from "../kubernetes/children/options.ts";
import type { Action } from "./actions.ts";
import type { ClusterWrites, Written } from "./cluster-writes.ts";
import type { ObservedJob, ObservedObject, ObservedRun, Refusal, Verdict } from "./observation.ts";
import { reconcile } from "./reconcile.ts";
import { runIdOf } from "./standing.ts";

/** What a wish for a run is. */
export type RunAction = Exclude<
  Action,
  { kind: "applyChild" } | { kind: "deleteChild" } | { kind: "patchStatus" }
>;

/** The coordinator, as the operator needs it. */
export interface Runs {
  /** Undefined if it has no such run. */
  find(runId: string): Promise<ObservedRun | undefined>;
  /** Idempotent: submitting a run that there is already does nothing. */
  wish(action: RunAction): Promise<void>;
}

/** The API server's objects, as the watches know them. */
export interface SeenCluster {
  job(key: string): ObservedJob | undefined;
  children(job: ObservedJob): readonly ObservedObject[];
  pods(job: ObservedJob): readonly ObservedObject[];
}

export interface LookParts {
  cluster: SeenCluster;
  runs: Runs;
  writes: ClusterWrites;
  judge(job: ObservedJob): Promise<Verdict>;
  installation: ChildrenOptions;
  now(): number;
}

/** What may be forgotten at any time, at the cost of a call more. */
interface Memory {
  uid: string;
  judged: { generation: number; verdict: Verdict } | undefined;
  summaryAtMs: number | undefined;
  refusals: readonly Refusal[];
  /** The resourceVersion that its status was written over: what is seen so is not news. */
  writtenOver: string | undefined;
}

/** A write that was refused is tried again after this; one over what was not seen yet sooner. */
const REFUSED_MS = 60_000;
const CHANGED_MS = 500;

/** Looks at jobs, one at a time each, as the work queue asks for. */
export class JobLooks {
  private readonly parts: LookParts;
  private readonly memories = new Map<string, Memory>();

  constructor(parts: LookParts) {
    this.parts = parts;
  }

  /** Returns in how long to look again, if nothing happens before. */
  async look(key: string): Promise<number | undefined> {
    const { cluster, runs, installation } = this.parts;
    const job = cluster.job(key);
    if (job === undefined) {
      this.memories.delete(key);
      return undefined;
    }
    const memory = this.memoryOf(key, job);
    if (memory.writtenOver === job.metadata.resourceVersion) return CHANGED_MS;
    const verdict = await this.verdictOf(job, memory);
    const { actions, lookAgainMs } = reconcile({
      ...{ job, verdict, installation, warnings: [], nowMs: this.parts.now() },
      ...{ children: cluster.children(job), pods: cluster.pods(job) },
      run: await runs.find(runIdOf(job.metadata)),
      ...{ refusals: memory.refusals, summaryAtMs: memory.summaryAtMs },
    });
    const refusals: Refusal[] = [];
    for (const action of actions) {
      const written = await this.carryOut(action, job, memory);
      // What was seen is over: what follows from it may be wrong.
      if (written.kind === "changed") return CHANGED_MS;
      if (written.kind === "refused") refusals.push(written.by);
    }
    const isNews = refusals.length > 0 && memory.refusals.length === 0;
    memory.refusals = refusals;
    // A refusal is told at once, then tried again from time to time.
    const againMs = isNews ? 0 : refusals.length > 0 ? REFUSED_MS : undefined;
    return againMs ?? lookAgainMs;
  }

  private memoryOf(key: string, { metadata: { uid } }: ObservedJob): Memory {
    const known = this.memories.get(key);
    if (known?.uid === uid) return known;
    const memory: Memory = {
      ...{ uid, judged: undefined, summaryAtMs: undefined, refusals: [] },
      writtenOver: undefined,
    };
    this.memories.set(key, memory);
    return memory;
  }

  private async verdictOf(job: ObservedJob, memory: Memory): Promise<Verdict> {
    const { generation } = job.metadata;
    if (memory.judged?.generation !== generation) {
      memory.judged = { generation, verdict: await this.parts.judge(job) };
    }
    return memory.judged.verdict;
  }

  private async carryOut(action: Action, job: ObservedJob, memory: Memory): Promise<Written> {
    const { writes, runs, now } = this.parts;
    if (action.kind === "applyChild") {
      return writes.applyChild(action.child, action.resourceVersion);
    }
    if (action.kind === "deleteChild") {
      return writes.deleteChild(action.child, job.metadata.namespace);
    }
    if (action.kind === "patchStatus") {
      const written = await writes.patchStatus(job, action.status);
      if (written.kind === "done") {
        memory.writtenOver = job.metadata.resourceVersion;
        if (action.hasNewSummary) memory.summaryAtMs = now();
      }
      return written;
    }
    await runs.wish(action);
    return { kind: "done" };
  }
}
