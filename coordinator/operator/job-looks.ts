import type { ChildrenOptions } from "../kubernetes/children/options.ts";
import { runIdOf } from "../kubernetes/run-id.ts";
import type { ClusterWrites, Written } from "./cluster/cluster-writes.ts";
import { JobMemory } from "./job-memory.ts";
import type { Action } from "./reconcile/actions.ts";
import { lackedByPods } from "./reconcile/agents.ts";
import { eventsBetween } from "./reconcile/job-events.ts";
import type {
  Observation,
  ObservedJob,
  ObservedObject,
  ObservedRun,
  Refusal,
  Verdict,
} from "./reconcile/observation.ts";
import { isBirth, isLeftAlone, reconcile } from "./reconcile/reconcile.ts";
import { isNewlyRefused, refusalEvents } from "./reconcile/refusal-events.ts";
import { hasBeenOver } from "./reconcile/standing.ts";

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
  wish(action: RunAction): Promise<Wished>;
}

/** How a wish ended: taken, or refused as it is, which only another spec mends. */
export type Wished = { kind: "done" } | Extract<Verdict, { kind: "refused" }>;

/** The API server's objects, as the watches know them. */
export interface SeenCluster {
  /** Why there can be no JobSets; undefined if there can. */
  readonly whyNoJobSets: string | undefined;
  job(key: string): ObservedJob | undefined;
  children(job: ObservedJob): readonly ObservedObject[];
  pods(job: ObservedJob): readonly ObservedObject[];
  /** Messages of Warning events about pods that could not be made. */
  warnings(job: ObservedJob): readonly string[];
}

export interface LookParts {
  cluster: SeenCluster;
  runs: Runs;
  writes: ClusterWrites;
  judge(job: ObservedJob): Promise<Verdict>;
  /** Whether writes may still be made. */
  leads(): boolean;
  installation: ChildrenOptions;
  now(): number;
}

/** A write that was refused is tried again after this; one over what was not seen yet sooner. */
const REFUSED_MS = 60_000;
const CHANGED_MS = 500;

/** Looks at jobs, one at a time each, as the work queue asks for. */
export class JobLooks {
  private readonly parts: LookParts;
  private readonly memories = new Map<string, JobMemory>();

  constructor(parts: LookParts) {
    this.parts = parts;
  }

  /** Returns in how long to look again, if nothing happens before. */
  async look(key: string): Promise<number | undefined> {
    const { cluster, runs, installation, writes } = this.parts;
    const job = cluster.job(key);
    if (job === undefined) {
      this.memories.delete(key);
      return undefined;
    }
    // Not even planned: there may be a thousand of them.
    if (isLeftAlone(job)) return undefined;
    const memory = this.memoryOf(key, job);
    const children = cluster.children(job);
    const nowMs = this.parts.now();
    if (memory.isAhead(job, children, nowMs)) return CHANGED_MS;
    const verdict = await this.verdictOf(job, memory);
    const run = await runs.find(runIdOf(job.metadata));
    const seen: Observation = {
      ...{ job, verdict, installation, run, nowMs, children, pods: cluster.pods(job) },
      ...{ warnings: cluster.warnings(job), refusals: memory.refusals },
      statusAtMs: memory.statusAtMs,
    };
    const { actions, lookAgainMs } = reconcile(seen);
    const refusals: Refusal[] = [];
    for (const action of actions) {
      if (!this.parts.leads()) return CHANGED_MS;
      // Pods come last, when all that they need is there.
      if (isBirth(action) && lackedByPods({ children, refusals }) !== undefined) continue;
      const written = await this.carryOut(action, job, memory);
      if (action.kind === "patchStatus" && written.kind === "done") {
        for (const event of eventsBetween(job.status, action.status, run?.generation)) {
          writes.recordEvent(job, event);
        }
      }
      // What was seen is over: what follows from it may be wrong.
      if (written.kind === "changed") return CHANGED_MS;
      if (written.kind === "refused") refusals.push(written.by);
    }
    memory.refusals = refusals;
    if (refusals.length === 0) return lookAgainMs;
    for (const event of refusalEvents(seen, refusals)) writes.recordEvent(job, event);
    // A refusal is told at once, then tried again from time to time.
    if (isNewlyRefused(seen, refusals)) return 0;
    return Math.min(REFUSED_MS, lookAgainMs ?? REFUSED_MS);
  }

  private memoryOf(key: string, { metadata: { uid } }: ObservedJob): JobMemory {
    const known = this.memories.get(key);
    if (known?.uid === uid) return known;
    const memory = new JobMemory(uid);
    this.memories.set(key, memory);
    return memory;
  }

  private async verdictOf(job: ObservedJob, memory: JobMemory): Promise<Verdict> {
    if (hasBeenOver(job)) return { kind: "notNeeded" };
    const { generation } = job.metadata;
    if (memory.judged?.generation !== generation) {
      memory.judged = { generation, verdict: this.possible(await this.parts.judge(job)) };
    }
    return memory.judged.verdict;
  }

  private possible(verdict: Verdict): Verdict {
    const why = this.parts.cluster.whyNoJobSets;
    const needsJobSets = verdict.kind === "planned" && verdict.spec.childKind === "JobSet";
    if (!needsJobSets || why === undefined) return verdict;
    const lines = [`spec.childKind: JobSet: ${why}, or use Job`];
    return { kind: "refused", code: "no_job_sets", lines };
  }

  private async carryOut(action: Action, job: ObservedJob, memory: JobMemory): Promise<Written> {
    const { writes, runs, now } = this.parts;
    if (action.kind === "applyChild") {
      const written = await writes.applyChild(action.child, action.resourceVersion);
      if (written.kind === "done" && action.resourceVersion === undefined) {
        memory.hasMade(action.child, now());
      }
      return written;
    }
    if (action.kind === "deleteChild") {
      return writes.deleteChild(action.child, job.metadata.namespace);
    }
    if (action.kind === "patchStatus") {
      const written = await writes.patchStatus(job, action.status);
      if (written.kind === "done") memory.hasWrittenStatus(job, now());
      return written;
    }
    const wished = await runs.wish(action);
    if (wished.kind === "done") return wished;
    // The spec's plan was good, and yet the coordinator does not take it: told by the next look.
    memory.judged = { generation: job.metadata.generation, verdict: wished };
    return { kind: "changed" };
  }
}
