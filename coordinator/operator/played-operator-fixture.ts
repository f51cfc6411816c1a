import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { KubeConfig } from "@kubernetes/client-node";
import { parse } from "yaml";
import { until } from "../../test/faults/patience.ts";
import type { JsonObject } from "../../test/kubernetes/json.ts";
import { type StartOptions, startCluster, type TestCluster } from "../../test/kubernetes/start.ts";
import { CHILDREN_OPTIONS } from "../kubernetes/children/options.ts";
import { API_VERSION, KIND } from "../kubernetes/names.ts";
import { shareConnections } from "../kubernetes/share-connections.ts";
import { publishAuthority } from "./cluster/authority-map.ts";
import { type ClusterWrites, clusterWrites } from "./cluster/cluster-writes.ts";
import { WATCH_OPTIONS, type WatchOptions } from "./cluster/list-watch.ts";
import { WatchedCluster } from "./cluster/watched-cluster.ts";
import { JobLooks, type LookParts, type Runs } from "./job-looks.ts";
import { judgeSpec } from "./judge/judge-spec.ts";
import { PlayedRuns } from "./played-runs-fixture.ts";
import { jobWith } from "./reconcile/job-fixture.ts";
import type { Condition, ConditionType } from "./reconcile/job-status.ts";
import type { ObservedObject } from "./reconcile/observation.ts";
import { WorkQueue } from "./work-queue.ts";

const FAST = { firstMs: 5, mostMs: 50, random: () => 0 };
const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const JOBS = "/apis/moestro.dev/v1alpha1/namespaces/default/moetrainingjobs";
export const AGENTS = "/apis/batch/v1/namespaces/default/jobs";
const MERGE = { headers: { "content-type": "application/merge-patch+json" } };

const NO_JOB_SETS = "this cluster has no JobSets; install JobSet";

/** An agent that does nothing, and takes its time to end. */
const IDLE =
  'process.on("SIGTERM", () => setTimeout(() => process.exit(143), 500)); setInterval(() => {}, 1e6)';
export const IDLE_AGENTS: StartOptions = {
  nodes: ["a", "b"],
  images: {
    [CHILDREN_OPTIONS.images.cpu]: { prefix: [process.execPath], entrypoint: ["-e", IDLE] },
  },
};

export interface FixtureOptions extends StartOptions {
  hasJobSets?: boolean;
  leads?(): boolean;
  crds?: readonly JsonObject[];
  watch?: Partial<WatchOptions>;
  /** Stands between the operator and what it writes to. */
  through?(parts: { writes: ClusterWrites; runs: Runs }): { writes: ClusterWrites; runs: Runs };
}

/** An operator on the cluster that is played, with runs that a test moves. */
export class TestOperator {
  readonly kube: TestCluster;
  readonly runs = new PlayedRuns();
  readonly cluster: WatchedCluster;
  readonly queue: WorkQueue;
  readonly failures: unknown[] = [];
  /** Names of the jobs that were judged, one a time. */
  readonly judged: string[] = [];
  /** Looks so far. */
  numLooks = 0;
  private readonly parts: LookParts;
  private looks: JobLooks;
  private readonly running: Promise<void>;

  constructor(kube: TestCluster, config: KubeConfig, options: FixtureOptions) {
    this.kube = kube;
    const {
      hasJobSets = false,
      leads = () => true,
      through = (parts) => parts,
      watch = {},
    } = options;
    this.cluster = new WatchedCluster(
      config,
      "default",
      {
        changed: (name) => this.queue.add(name),
        failed: (error) => this.failures.push(error),
      },
      { ...WATCH_OPTIONS, ...FAST, ...watch, whyNoJobSets: hasJobSets ? undefined : NO_JOB_SETS },
    );
    this.parts = {
      ...{ cluster: this.cluster, installation: CHILDREN_OPTIONS, now: Date.now },
      ...through({ writes: clusterWrites(config), runs: this.runs }),
      judge: (job) => {
        this.judged.push(job.metadata.name);
        return judgeSpec(job, "/", async () => "{}");
      },
      leads,
    };
    this.looks = new JobLooks(this.parts);
    this.queue = new WorkQueue(
      async (name) => {
        const againMs = await this.looks.look(name);
        this.numLooks += 1;
        return againMs;
      },
      (_, error) => this.failures.push(error),
      { ...FAST, concurrency: 4 },
    );
    this.runs.moved = (name) => this.queue.add(name);
    this.running = this.cluster.run();
  }

  /** As an operator that is started again: all that it remembered is lost. */
  restart(): void {
    this.looks = new JobLooks(this.parts);
  }

  async apply(name: string, own: JsonObject = {}): Promise<void> {
    const head = { apiVersion: API_VERSION, kind: KIND, metadata: { name } };
    const spec = jobWith(own).spec as JsonObject;
    const { code, body } = await this.kube.request("POST", JOBS, { ...head, spec });
    if (code !== 201) throw new Error(JSON.stringify(body));
  }

  edit(name: string, spec: JsonObject) {
    return this.kube.request("PATCH", `${JOBS}/${name}`, { spec }, MERGE);
  }

  delete(name: string) {
    return this.kube.request("DELETE", `${JOBS}/${name}`);
  }

  /** As a queue, or a person, changes the job of the agents. */
  editAgents(name: string, spec: JsonObject) {
    return this.kube.request("PATCH", `${AGENTS}/${name}-agents`, { spec }, MERGE);
  }

  agents(name: string): (ObservedObject & { spec: JsonObject }) | undefined {
    const job = this.cluster.job(name);
    const found = job && this.cluster.children(job).find(({ kind }) => /^Job/.test(kind));
    return found as (ObservedObject & { spec: JsonObject }) | undefined;
  }

  pods(name: string): ObservedObject[] {
    const job = this.cluster.job(name);
    return job === undefined ? [] : this.cluster.pods(job);
  }

  condition(name: string, type: ConditionType): Condition | undefined {
    return this.cluster.job(name)?.status?.conditions?.find((one) => one.type === type);
  }

  /** Waits for a condition to be so, for this reason if one is given. */
  untilCondition(
    name: string,
    type: ConditionType,
    status: Condition["status"],
    reason?: string,
  ): Promise<Condition> {
    return until(`${name}: ${type} ${status} ${reason ?? ""}`, () => {
      const found = this.condition(name, type);
      const isSo = found?.status === status && (reason ?? found.reason) === found.reason;
      return isSo ? found : undefined;
    });
  }

  /** Waits for a look at a job, asked for now, that writes nothing. */
  async untilQuiet(name: string): Promise<void> {
    const numPatches = () => this.kube.faults.totalRequests({ verb: "patch" });
    await until("a look that writes nothing", async () => {
      const [patchesBefore, looksBefore] = [numPatches(), this.numLooks];
      this.queue.add(name);
      await until("another look", () => this.numLooks > looksBefore || undefined);
      return numPatches() === patchesBefore || undefined;
    });
  }

  async close(): Promise<void> {
    this.queue.close();
    this.cluster.close();
    await this.running;
    await this.kube.close();
  }
}

export async function startOperator(options: FixtureOptions = {}): Promise<TestOperator> {
  const kube = await startCluster({ bookmarkMs: 50, ...options });
  const crd = readFileSync(fileURLToPath(new URL("../../k8s/base/crd.yaml", import.meta.url)));
  for (const each of [parse(String(crd)), ...(options.crds ?? [])]) {
    await kube.request("POST", CRDS, each);
  }
  const config = new KubeConfig();
  config.loadFromFile(kube.kubeconfig);
  shareConnections(config);
  await publishAuthority(config, "default", kube.authority);
  return new TestOperator(kube, config, options);
}
