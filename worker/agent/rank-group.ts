import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { Gather } from "../../proto/gather.ts";
import {
  RankExitedSchema,
  RankIsReadySchema,
  RankStartedSchema,
  type StartRanks,
} from "../../proto/gen/moestro/v1/agent_pb.js";
import {
  type AgentToRank,
  RankAssignmentSchema,
  type RankFailed,
  type RankFinished,
  type RankToAgent,
} from "../../proto/gen/moestro/v1/rank_pb.js";
import type { CheckpointShards, StepReport } from "../../proto/gen/moestro/v1/report_pb.js";
import { mergeCheckpointShards, mergeStepReports } from "../../proto/merge-reports.ts";
import type { AgentMessage } from "./coordinator-stream.ts";
import { RankLinks } from "./rank-links.ts";
import { type RankExit, RankProcess, threadsPerRank } from "./rank-process.ts";

/** A link whose process is gone is closed by the kernel; this only bounds the wait. */
const DRAIN_MS = 500;

export type RankGroupOptions = {
  runId: string;
  generation: bigint;
  start: StartRanks;
  python: string;
  /** Folder that the ranks' socket lies in, in a private folder of its own. */
  scratch: string;
  send(message: AgentMessage): void;
};

/** The ranks of one generation on this node, from start to end. */
export class RankGroup {
  /** Settles once every rank has ended and its end was sent. */
  readonly ended: Promise<void>;
  readonly #options: RankGroupOptions;
  readonly #links: RankLinks;
  readonly #processes: RankProcess[];
  readonly #steps: Gather<number, StepReport>;
  readonly #checkpoints: Gather<number, CheckpointShards>;
  readonly #failures = new Map<number, RankFailed>();
  readonly #finished = new Map<number, RankFinished>();

  static async start(options: RankGroupOptions): Promise<RankGroup> {
    mkdirSync(options.start.logDirectory, { recursive: true });
    let group: RankGroup | undefined;
    const links = await RankLinks.open(options.scratch, {
      hello: (rank, token) => group?.isOurs(rank, token) ?? false,
      message: (rank, message) => group?.receive(rank, message),
    });
    group = new RankGroup(options, links);
    return group;
  }

  private constructor(options: RankGroupOptions, links: RankLinks) {
    const { start } = options;
    this.#options = options;
    this.#links = links;
    this.#steps = new Gather(start.ranks);
    this.#checkpoints = new Gather(start.ranks);
    const numThreads = threadsPerRank(start.ranks.length);
    this.#processes = start.ranks.map(
      (rank) =>
        new RankProcess({
          python: options.python,
          rank,
          socketPath: links.path,
          logPath: join(start.logDirectory, `rank-${rank}.log`),
          numThreads,
        }),
    );
    start.ranks.forEach((rank, localRank) => {
      links.send(rank, { case: "assignment", value: this.#assignment(rank, localRank) });
    });
    for (const { rank, pid } of this.#processes) {
      // A process that could not be started has no pid; its exit tells of it.
      if (pid === undefined) continue;
      options.send({ case: "rankStarted", value: create(RankStartedSchema, { rank, pid }) });
    }
    this.ended = Promise.all(this.#processes.map((one) => this.#watch(one))).then(() => {
      this.#links.close();
    });
  }

  get ranks(): readonly number[] {
    return this.#options.start.ranks;
  }

  isOurs(rank: number, token: string): boolean {
    return this.#processes.some((one) => one.rank === rank && one.isToken(token));
  }

  /** Sends the ranks of this node one message, all of them or one. */
  send(message: AgentToRank["message"], rank?: number): void {
    for (const each of this.ranks) {
      if (rank === undefined || each === rank) this.#links.send(each, message);
    }
  }

  kill(graceMs: number): void {
    for (const one of this.#processes) one.kill(graceMs);
  }

  receive(rank: number, message: RankToAgent["message"]): void {
    const { send } = this.#options;
    switch (message.case) {
      case "ready":
        send({
          case: "rankReady",
          value: create(RankIsReadySchema, { rank, nextStep: message.value.nextStep }),
        });
        break;
      case "step": {
        const reports = this.#steps.add(message.value.step, rank, message.value);
        if (reports) send({ case: "step", value: mergeStepReports(reports) });
        break;
      }
      case "checkpoint": {
        const shards = this.#checkpoints.add(message.value.step, rank, message.value);
        if (shards) send({ case: "checkpoint", value: mergeCheckpointShards(shards) });
        break;
      }
      case "failed":
        this.#failures.set(rank, message.value);
        break;
      case "finished":
        this.#finished.set(rank, message.value);
        break;
      case "rendezvous":
      case "data":
      case "sample":
        send(message);
        break;
      case "hello":
      case undefined:
        throw new Error("a message that makes no sense here");
    }
  }

  #assignment(rank: number, localRank: number) {
    const { start, runId, generation } = this.#options;
    const { job, plan, restore, coefficients, collectiveTimeoutMs } = start;
    if (!job || !plan) throw new Error("the coordinator sent no job or no plan");
    return create(RankAssignmentSchema, {
      ...{ runId, generation, rank, localRank, plan, job, coefficients, collectiveTimeoutMs },
      ...(restore ? { restore } : {}),
      networkInterface: start.networkInterface,
      rendezvousHost: start.rendezvousHost,
    });
  }

  async #watch(one: RankProcess): Promise<void> {
    const exit = await one.ended;
    await Promise.race([
      this.#links.drained(one.rank),
      new Promise((resolve) => setTimeout(resolve, DRAIN_MS).unref()),
    ]);
    this.#options.send({ case: "rankExited", value: this.#exited(one.rank, exit) });
  }

  #exited(rank: number, exit: RankExit) {
    const failure = this.#failures.get(rank);
    const finished = this.#finished.get(rank);
    return create(RankExitedSchema, {
      rank,
      ...(exit.exitCode === undefined ? {} : { exitCode: exit.exitCode }),
      signal: exit.signal,
      ...(failure ? { failure } : {}),
      ...(finished ? { finished } : {}),
      stderrTail: exit.logTail,
    });
  }
}
