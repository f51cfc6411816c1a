import { setTimeout as sleep } from "node:timers/promises";
import { ApiException, type KubeConfig } from "@kubernetes/client-node";
import { collectionPath, requestApi } from "../kubernetes/api-request.ts";
import type { ChildrenOptions } from "../kubernetes/children/options.ts";
import { API_VERSION, PLURAL } from "../kubernetes/names.ts";
import { jobOfRun, runIdOf } from "../kubernetes/run-id.ts";
import type { Log } from "../observability/log.ts";
import { retryMs } from "../retry.ts";
import type { ServiceRuns } from "../service/service-runs.ts";
import { publishAuthority } from "./cluster/authority-map.ts";
import { clusterWrites } from "./cluster/cluster-writes.ts";
import { whyNoJobSets } from "./cluster/job-sets-served.ts";
import { WATCH_OPTIONS } from "./cluster/list-watch.ts";
import { WatchedCluster } from "./cluster/watched-cluster.ts";
import { whyOf } from "./cluster/why-of.ts";
import { coordinatorRuns, ownerOf } from "./coordinator-runs.ts";
import { JobLooks, type Runs } from "./job-looks.ts";
import { JudgeThread } from "./judge/judge-thread.ts";
import { orphanedRuns } from "./orphaned-runs.ts";
import type { ObservedJob } from "./reconcile/observation.ts";
import { observedRun } from "./reconcile/observed-run.ts";
import { withRunFolders } from "./run-folders.ts";
import { RunWatch } from "./run-watch.ts";
import { RETRY_OPTIONS, WorkQueue } from "./work-queue.ts";

export interface TermOptions {
  config: KubeConfig;
  /** Whose MoETrainingJobs it carries out. */
  namespace: string;
  installation: ChildrenOptions;
  runs: ServiceRuns;
  /** Where relative paths of specs begin, and folders of runs are. */
  runsDirectory: string;
  /** Of the coordinators, PEM. */
  authority: string;
  log: Log;
}

/** Jobs looked at side by side: most of a look is waiting for the API server. */
const CONCURRENCY = 8;
/** No name of a job. */
const HOUSEKEEPING = "/";
const HOUSEKEEPING_MS = 60_000;
/** Until it is known again who leads. */
const UNSURE_MS = 1000;

/** What an operator does for as long as it leads without a break. */
export class OperatorTerm {
  /** Settles when nothing of it is under way any more. */
  readonly done: Promise<void>;
  private readonly options: TermOptions;
  private readonly queue: WorkQueue;
  private readonly runWatch: RunWatch;
  private readonly runs: Runs;
  private readonly thread: JudgeThread;
  private readonly leads: () => boolean;
  private cluster: WatchedCluster | undefined;
  private looks: JobLooks | undefined;
  private isClosed = false;

  /** @param leads whether writes may still be made */
  constructor(options: TermOptions, leads: () => boolean) {
    this.options = options;
    this.leads = leads;
    const { log, runs, namespace } = options;
    this.queue = new WorkQueue(
      async (name) => (leads() ? this.look(name) : UNSURE_MS),
      (name, error, waitMs) => {
        const what = name === HOUSEKEEPING ? "the operator" : `MoETrainingJob ${name}`;
        log.warn(`${what}: ${whyOf(error)}; ${againIn(waitMs)}`);
      },
      { ...RETRY_OPTIONS, concurrency: CONCURRENCY },
    );
    this.runs = coordinatorRuns(runs, namespace);
    this.thread = new JudgeThread(options.runsDirectory);
    const owner = ownerOf(namespace);
    this.runWatch = new RunWatch(
      async () => (await runs.list()).filter((run) => run.owner === owner),
      (runId) => this.queue.add(jobOfRun(runId)),
      (error) => log.warn(`the runs of MoETrainingJobs: ${whyOf(error)}`),
    );
    this.done = this.carryOut();
  }

  /** Milliseconds since the API server last said something on the watch that is silent longest. */
  get watchAgeMs(): number {
    return this.cluster?.ageMs ?? 0;
  }

  close(): void {
    this.isClosed = true;
    this.queue.close();
    this.runWatch.close();
    this.cluster?.close();
    void this.thread.close();
  }

  private async carryOut(): Promise<void> {
    const { config, namespace, log, runsDirectory } = this.options;
    this.queue.add(HOUSEKEEPING);
    const asked = await this.untilAnswered(async () => ({ why: await whyNoJobSets(config) }));
    if (asked === undefined) return;
    const cluster = new WatchedCluster(
      config,
      namespace,
      {
        changed: (name) => this.queue.add(name),
        failed: (error, waitMs) => log.warn(`a watch: ${whyOf(error)}; ${againIn(waitMs)}`),
      },
      { ...WATCH_OPTIONS, ...RETRY_OPTIONS, whyNoJobSets: asked.why },
    );
    this.cluster = cluster;
    this.looks = new JobLooks({
      cluster,
      runs: this.runs,
      writes: withRunFolders(clusterWrites(config), runsDirectory),
      judge: (job) => this.thread.judge(job),
      leads: this.leads,
      installation: this.options.installation,
      now: Date.now,
    });
    await Promise.all([cluster.run(), this.runWatch.run()]);
  }

  /** Undefined if it was closed before. */
  private async untilAnswered<Answer>(ask: () => Promise<Answer>): Promise<Answer | undefined> {
    for (let numFailures = 0; !this.isClosed; ) {
      try {
        return await ask();
      } catch (error) {
        numFailures += 1;
        const waitMs = retryMs(numFailures, RETRY_OPTIONS);
        this.options.log.warn(`the API server: ${whyOf(error)}; ${againIn(waitMs)}`);
        await sleep(waitMs);
      }
    }
    return undefined;
  }

  private async look(name: string): Promise<number | undefined> {
    const { cluster, looks } = this;
    if (name === HOUSEKEEPING) return this.keepHouse();
    if (looks === undefined || cluster?.isComplete !== true) return undefined;
    if (cluster.job(name) === undefined) await this.stopOrphans((run) => jobOfRun(run) === name);
    return looks.look(name);
  }

  /** What no job asks for. Returns when to do it again. */
  private async keepHouse(): Promise<number> {
    const { config, namespace, authority } = this.options;
    await publishAuthority(config, namespace, authority);
    await this.stopOrphans(() => true);
    return HOUSEKEEPING_MS;
  }

  /** Nothing holds a deleted job back until its run has ended, so runs may outlive it. */
  private async stopOrphans(isMeant: (runId: string) => boolean): Promise<void> {
    const { cluster, runWatch } = this;
    if (cluster?.isComplete !== true) return;
    const submitted = runWatch.runs
      .filter(({ runId }) => isMeant(runId))
      .map((run) => ({ runId: run.runId, state: observedRun(run).state }));
    const jobs = cluster.names().flatMap((name) => cluster.job(name)?.metadata ?? []);
    for (const runId of orphanedRuns(submitted, jobs)) {
      // A watch may be behind.
      if (await isThere(this.options, runId)) continue;
      this.options.log.info(`its MoETrainingJob is gone, so it is stopped`, { run: runId });
      await this.runs.wish({ kind: "cancelRun", runId });
    }
  }
}

const againIn = (waitMs: number) => `again in ${(waitMs / 1000).toFixed(1)} s`;

/** Asks the API server for the very job that a run is of. */
async function isThere({ config, namespace }: TermOptions, runId: string): Promise<boolean> {
  const path = `${collectionPath(API_VERSION, PLURAL, namespace)}/${jobOfRun(runId)}`;
  try {
    const job = await requestApi(config, { method: "GET", path });
    return runIdOf((job as ObservedJob).metadata) === runId;
  } catch (error) {
    if (error instanceof ApiException && error.code === 404) return false;
    throw error;
  }
}
