import type { ReadLogRequest, RunStatus } from "../../proto/gen/moestro/v1/run_pb.js";
import { MoestroError } from "../errors.ts";
import type { Runs } from "../rpc/run-service.ts";
import { followLines } from "./follow-file.ts";
import { followLogs, type LogChunk } from "./follow-logs.ts";
import type { RunDirectory } from "./run-directory.ts";
import type { Supervisor } from "./supervisor.ts";

/** The one run of a coordinator without a queue. */
export class OneRun implements Runs {
  readonly #supervisor: Supervisor;
  readonly #directory: RunDirectory;

  constructor(supervisor: Supervisor, directory: RunDirectory) {
    this.#supervisor = supervisor;
    this.#directory = directory;
  }

  async status(runId: string): Promise<RunStatus> {
    return this.#find(runId).status();
  }

  async list(): Promise<RunStatus[]> {
    return [this.#supervisor.status()];
  }

  async stop(runId: string, checkpoint: boolean): Promise<void> {
    this.#find(runId).stop(checkpoint);
  }

  async saveCheckpoint(runId: string): Promise<void> {
    this.#find(runId).saveCheckpoint();
  }

  submit(): Promise<string> {
    throw this.#noQueue();
  }

  suspend(): Promise<void> {
    throw this.#noQueue();
  }

  resume(): Promise<void> {
    throw this.#noQueue();
  }

  scale(): Promise<void> {
    throw this.#noQueue();
  }

  events(runId: string, follow: boolean, signal: AbortSignal): AsyncIterable<string> {
    const run = this.#find(runId);
    return followLines(this.#directory.events, async () => !follow || run.isEnded(), signal);
  }

  log(request: ReadLogRequest, signal: AbortSignal): AsyncIterable<LogChunk> {
    const run = this.#find(request.runId);
    const { rank, generation, follow } = request;
    return followLogs(
      this.#directory,
      { rank, follow, generation: Number(generation) },
      async () => !follow || run.isEnded(),
      signal,
    );
  }

  #find(runId: string): Supervisor {
    if (runId === this.#supervisor.runId) return this.#supervisor;
    throw new MoestroError(
      "not_found",
      `run ${runId} is not here; this coordinator carries out ${this.#supervisor.runId}`,
    );
  }

  #noQueue(): MoestroError {
    return new MoestroError(
      "invalid_input",
      "this coordinator carries out one run and has no queue; start one with: moestro serve",
    );
  }
}
