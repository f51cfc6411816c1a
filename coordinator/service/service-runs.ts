import { existsSync, mkdirSync, readdirSync } from "node:fs";
import type { JsonValue } from "@bufbuild/protobuf";
import type {
  ReadLogRequest,
  RunStatus,
  SubmitRunRequest,
} from "../../proto/gen/moestro/v1/run_pb.js";
import { MoestroError } from "../errors.ts";
import type { Runs } from "../rpc/run-service.ts";
import { appendEvent } from "../run/append-event.ts";
import { replaceFile } from "../run/files.ts";
import { followLines } from "../run/follow-file.ts";
import { followLogs, type LogChunk } from "../run/follow-logs.ts";
import type { RunDirectory } from "../run/run-directory.ts";
import { isEnded } from "../run/run-state.ts";
import { parseJob } from "../spec/load-job.ts";
import type { Job } from "../spec/schema.ts";
import type { RunSpec, RunWish, Store, StoredRun } from "../store/store.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { SizesOfJobs } from "./queued-run.ts";
import { storedStatus } from "./stored-status.ts";

/** Restarts of a run for failures of its own, unless its submitter says otherwise. */
const DEFAULT_RESTARTS = 10;
const MAX_RANKS = 131_072;
/** Each size that a run may have is looked at. */
const MAX_SPAN = 4096;
/** Runs that are over, in a list. */
const NUM_ENDED = 50;
const RUN_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

export type ServiceRunsOptions = {
  store: Store;
  /** The dispatcher while this coordinator leads. */
  dispatcher(): Dispatcher | undefined;
  /** Asks whoever leads to look at a run. */
  look(runId: string): Promise<void>;
  directory(runId: string): RunDirectory;
  /** Shared with the dispatcher. */
  sizes: SizesOfJobs;
  now(): number;
};

/**
 * The runs of a service, the same from every coordinator: wishes go to the store, and the
 * leader is asked to look. What is read comes from the leader's memory or from the store.
 */
export class ServiceRuns implements Runs {
  readonly #options: ServiceRunsOptions;
  /** Jobs that passed, by their text: thousands of one sweep are mostly alike. */
  readonly #checked = new Map<string, Promise<Job>>();

  constructor(options: ServiceRunsOptions) {
    this.#options = options;
  }

  async status(runId: string): Promise<RunStatus> {
    const dispatcher = this.#options.dispatcher();
    const live = dispatcher?.supervisor(runId);
    if (live) return live.status();
    return this.#stored(await this.#find(runId));
  }

  async list(): Promise<RunStatus[]> {
    const { store } = this.#options;
    const dispatcher = this.#options.dispatcher();
    const runs = [...(await store.active()), ...(await store.ended(NUM_ENDED))];
    return Promise.all(
      runs.map((run) => dispatcher?.supervisor(run.runId)?.status() ?? this.#stored(run)),
    );
  }

  /** `how.hasOwnAgents`: see `RunSpec`. */
  async submit(
    request: SubmitRunRequest,
    owner: string,
    how: { hasOwnAgents?: boolean } = {},
  ): Promise<string> {
    const { store, now } = this.#options;
    const job = await this.#check(request.jobJson);
    const minRanks = request.minRanks || request.maxRanks || job.cluster.ranks;
    const maxRanks = request.maxRanks || Math.max(minRanks, job.cluster.ranks);
    await this.#refuseSizes(job, minRanks, maxRanks);
    const runId = request.runId || newId(job.name, now());
    if (!RUN_ID.test(runId)) {
      throw new MoestroError(
        "invalid_input",
        `run id ${runId}: use up to 100 letters, digits, '.', '_' and '-', beginning with a letter or digit`,
      );
    }
    const spec: RunSpec = {
      ...{ name: job.name, owner, priority: request.priority, submittedAtMs: now() },
      job: job as unknown as JsonValue,
      maxRestarts: request.maxRestarts ?? DEFAULT_RESTARTS,
      ...(how.hasOwnAgents ? { hasOwnAgents: true } : {}),
    };
    const directory = this.#options.directory(runId);
    // A run with agents of its own has an id that nobody else's has: it goes on where it was.
    if (!how.hasOwnAgents) await this.#refuseUsed(runId, directory);
    mkdirSync(directory.path, { recursive: true, mode: 0o700 });
    await store.create(runId, spec, { phase: "run", minRanks, maxRanks, checkpoints: 0 });
    // A copy for people: the store has the job, and waiting for the disk would hold up everybody.
    replaceFile(directory.job, request.jobText || request.jobJson);
    const by = owner === "" ? "" : ` by ${owner}`;
    appendEvent(directory, "run.queued", `submitted${by}, for ${range(minRanks, maxRanks)}`);
    await this.#options.look(runId);
    return runId;
  }

  async stop(runId: string, checkpoint: boolean): Promise<void> {
    await this.#wish(runId, { phase: checkpoint ? "stop" : "kill" });
  }

  async suspend(runId: string): Promise<void> {
    await this.#wish(runId, { phase: "suspend" });
  }

  async resume(runId: string): Promise<void> {
    const { wish } = await this.#find(runId);
    if (wish.phase !== "run" && wish.phase !== "suspend") {
      throw new MoestroError("run_failed", `run ${runId} is being stopped; submit its job again`);
    }
    await this.#wish(runId, { phase: "run" });
  }

  async scale(runId: string, minRanks: number, maxRanks: number): Promise<void> {
    const run = await this.#find(runId);
    await this.#refuseSizes(await this.#check(JSON.stringify(run.spec.job)), minRanks, maxRanks);
    await this.#wish(runId, { minRanks, maxRanks });
  }

  async saveCheckpoint(runId: string): Promise<void> {
    this.#refuseEnded(await this.#find(runId));
    await this.#options.store.wishCheckpoint(runId);
    await this.#options.look(runId);
  }

  async *events(runId: string, follow: boolean, signal: AbortSignal): AsyncIterable<string> {
    await this.#find(runId);
    yield* followLines(this.#options.directory(runId).events, this.#isOver(runId, follow), signal);
  }

  async *log(request: ReadLogRequest, signal: AbortSignal): AsyncIterable<LogChunk> {
    const { runId, rank, generation, follow } = request;
    await this.#find(runId);
    const wanted = { rank, follow, generation: Number(generation) };
    yield* followLogs(this.#options.directory(runId), wanted, this.#isOver(runId, follow), signal);
  }

  /** Who submitted a run. */
  async owner(runId: string): Promise<string | undefined> {
    return (await this.#options.store.get(runId))?.spec.owner;
  }

  // --- inside ---

  #isOver(runId: string, follow: boolean): () => Promise<boolean> {
    return async () => !follow || isEnded((await this.#find(runId)).life.state);
  }

  async #find(runId: string): Promise<StoredRun> {
    const run = await this.#options.store.get(runId);
    if (run) return run;
    throw new MoestroError("not_found", `there is no run ${runId}; moestro list shows all`);
  }

  async #stored(run: StoredRun): Promise<RunStatus> {
    // One that never started left none: there may be thousands.
    const last = run.generation > 0 ? await this.#options.store.status(run.runId) : undefined;
    const status = storedStatus(run, last);
    const waiting = this.#options.dispatcher()?.waitingReason(run.runId);
    if (waiting !== undefined) status.reason = waiting;
    return status;
  }

  async #wish(runId: string, change: Partial<RunWish>): Promise<void> {
    this.#refuseEnded(await this.#find(runId));
    await this.#options.store.wish(runId, change);
    await this.#options.look(runId);
  }

  #refuseEnded({ runId, life }: StoredRun): void {
    if (!isEnded(life.state)) return;
    throw new MoestroError("run_failed", `run ${runId} has ended (${life.state}: ${life.reason})`);
  }

  #check(jobJson: string): Promise<Job> {
    const known = this.#checked.get(jobJson);
    if (known) return known;
    const checked = parseJob(jobJson, "/job.json", "job").then(({ job }) => job);
    this.#checked.set(jobJson, checked);
    // A job that is refused is not kept, and neither are more than a sweep has.
    checked.catch(() => this.#checked.delete(jobJson));
    if (this.#checked.size > 1000) this.#checked.clear();
    return checked;
  }

  /** A folder with checkpoints is another run's: of a store that is gone, or of `train`. */
  async #refuseUsed(runId: string, directory: RunDirectory): Promise<void> {
    // An empty one may be a disk of its own, mounted for the run.
    if (!existsSync(directory.checkpoints) || readdirSync(directory.checkpoints).length === 0)
      return;
    // The store's own runs it refuses itself, in its words.
    if (await this.#options.store.get(runId)) return;
    throw new MoestroError(
      "in_use",
      `run ${runId}: ${directory.path} holds checkpoints of a run already; choose another --run-id`,
    );
  }

  async #refuseSizes(job: Job, minRanks: number, maxRanks: number): Promise<void> {
    if (maxRanks > MAX_RANKS || maxRanks - minRanks > MAX_SPAN) {
      throw new MoestroError(
        "invalid_input",
        `${minRanks} to ${maxRanks} ranks: give at most ${MAX_RANKS}, and no more than ${MAX_SPAN} sizes to choose from`,
      );
    }
    if (minRanks < 1 || maxRanks < minRanks) {
      throw new MoestroError(
        "invalid_input",
        `${minRanks} to ${maxRanks} ranks: give at least 1, and no more at least than at most`,
      );
    }
    const sizes = this.#options.sizes.of(job as unknown as JsonValue);
    if (await sizes.best(minRanks, maxRanks)) return;
    throw new MoestroError(
      "no_plan",
      `no legal layout has ${range(minRanks, maxRanks)}; moestro plan tells which sizes the job can have`,
    );
  }
}

function range(minRanks: number, maxRanks: number): string {
  return minRanks === maxRanks ? `${minRanks} ranks` : `${minRanks} to ${maxRanks} ranks`;
}

function newId(name: string, nowMs: number): string {
  const stamp = new Date(nowMs)
    .toISOString()
    .slice(0, 19)
    .replaceAll(/[-:]/g, "")
    .replace("T", "-");
  const salt = Math.random().toString(36).slice(2, 6);
  return `${name}-${stamp}-${salt}`;
}
