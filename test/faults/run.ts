import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import type { EventRecord, MetricsRecord } from "../../coordinator/report/records.ts";
import { RunDirectory } from "../../coordinator/run/run-directory.ts";
import { loadJob } from "../../coordinator/spec/load-job.ts";
import {
  GetRunRequestSchema,
  RunService,
  RunState,
  type RunStatus,
  StopRunRequestSchema,
  SubmitRunRequestSchema,
} from "../../proto/gen/moestro/v1/run_pb.js";
import { grpcMethods } from "../../proto/grpc.ts";
import type { Cluster } from "./cluster.ts";
import { type JobKind, jobText } from "./job.ts";
import { LineFile } from "./line-file.ts";
import { until } from "./patience.ts";

const methods = grpcMethods(RunService);
const ENDS = ["run.succeeded", "run.stopped", "run.failed"];
const ENDED = [RunState.SUCCEEDED, RunState.STOPPED, RunState.FAILED];

export type Sizes = { minRanks: number; maxRanks: number };

/** One run of the cluster, as its files and its coordinator tell of it. */
export class Run {
  readonly id: string;
  readonly kind: JobKind;
  readonly steps: number;
  readonly directory: RunDirectory;
  readonly #cluster: Cluster;
  readonly #events: LineFile<EventRecord>;
  readonly #metrics: LineFile<MetricsRecord>;

  private constructor(cluster: Cluster, id: string, kind: JobKind, steps: number) {
    this.#cluster = cluster;
    this.id = id;
    this.kind = kind;
    this.steps = steps;
    this.directory = new RunDirectory(join(cluster.runsDirectory, id));
    this.#events = new LineFile(this.directory.events);
    this.#metrics = new LineFile(this.directory.metrics);
  }

  static async submit(
    cluster: Cluster,
    id: string,
    { kind, steps, sizes = {} }: { kind: JobKind; steps: number; sizes?: Partial<Sizes> },
  ): Promise<Run> {
    const text = jobText(kind, steps);
    const { job } = await loadJob(cluster.place.path(cluster.place.write("job.yaml", text)));
    const request = { jobJson: JSON.stringify(job), jobText: text, runId: id, ...sizes };
    await cluster.call(methods.submitRun, create(SubmitRunRequestSchema, request));
    return new Run(cluster, id, kind, steps);
  }

  async status(): Promise<RunStatus> {
    return until("the run's status", async () => {
      const request = create(GetRunRequestSchema, { runId: this.id });
      const { status } = await this.#cluster.call(methods.getRun, request).catch(() => ({
        status: undefined,
      }));
      return status;
    });
  }

  get events(): readonly EventRecord[] {
    return this.#events.read();
  }

  /** One record a step that counts. */
  get metrics(): readonly MetricsRecord[] {
    return this.#metrics.read();
  }

  /** Steps that were trained again, as they were before. */
  get superseded(): MetricsRecord[] {
    const { supersededMetrics: path } = this.directory;
    if (!existsSync(path)) return [];
    const lines = readFileSync(path, "utf8").split("\n");
    return lines.flatMap((line) => (line === "" ? [] : (JSON.parse(line) as MetricsRecord)));
  }

  get lastStep(): number {
    return this.metrics.at(-1)?.step ?? 0;
  }

  /** The newest process of a rank. */
  pid(rank: number): number {
    return Number(this.#started(rank).pid);
  }

  /** The agent that a rank is on. */
  agentOf(rank: number): string {
    return String(this.#started(rank).agent);
  }

  /** Has the engine do it in a rank, from the next step on. */
  injectFault(rank: number, fault: string): void {
    writeFileSync(join(this.#cluster.faults, `rank-${rank}`), `${fault} 0`);
  }

  /** Waits for an event behind the first `after` ones. */
  async event(
    name: string,
    after: number,
    matches: (event: EventRecord) => boolean = () => true,
  ): Promise<EventRecord> {
    return this.#until(`event ${name}`, () =>
      this.events.slice(after).find((one) => one.event === name && matches(one)),
    );
  }

  /** Waits until so many further steps are made than now. */
  async advance(steps: number): Promise<void> {
    await this.reach(this.lastStep + steps);
  }

  async reach(step: number): Promise<void> {
    await this.#until(`step ${step}`, () => this.lastStep >= step);
  }

  /** Waits for its end. */
  async ended(): Promise<RunStatus> {
    return until(`${this.id}: its end`, async () => {
      const status = await this.status();
      return ENDED.includes(status.state) && status;
    });
  }

  /** Has it end behind a checkpoint, and waits until it has. */
  async stop(): Promise<RunStatus> {
    const request = create(StopRunRequestSchema, { runId: this.id, checkpoint: true });
    await this.#cluster.call(methods.stopRun, request);
    return this.ended();
  }

  /** What `find` finds, unless the run ends without it. */
  #until<Found>(what: string, find: () => Found | undefined | false): Promise<Found> {
    return until(`${this.id}: ${what}`, () => {
      const end = this.events.findLast(({ event }) => ENDS.includes(event));
      const found = find();
      if (end && !found) throw new Error(`${this.id}: no ${what}: ${end.event}: ${end.message}`);
      return found;
    });
  }

  #started(rank: number): EventRecord {
    const found = this.events.findLast((one) => one.event === "rank.started" && one.rank === rank);
    if (!found) throw new Error(`${this.id}: rank ${rank} was never started`);
    return found;
  }
}
