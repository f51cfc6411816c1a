import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Gather } from "../../proto/gather.ts";
import {
  RankExitedSchema,
  type RankGroupState,
  RankIsReadySchema,
  RankStartedSchema,
  StackDumpSchema,
} from "../../proto/gen/moestro/v1/agent_pb.js";
import {
  type AgentToRank,
  type RankFailed,
  RankFailedSchema,
  type RankFinished,
  type RankToAgent,
} from "../../proto/gen/moestro/v1/rank_pb.js";
import type { CheckpointShards, StepReport } from "../../proto/gen/moestro/v1/report_pb.js";
import { mergeCheckpointShards, mergeStepReports } from "../../proto/merge-reports.ts";
import type { AgentMessage } from "./coordinator-stream.ts";
import { GroupFacts, type GroupFence } from "./group-facts.ts";
import { type AssignmentOptions, assignmentOf } from "./rank-assignment.ts";
import type { RankExit, RankHandle } from "./rank-process.ts";
import { stacksOf } from "./stacks.ts";

/** A process that is gone has its link closed by the kernel; this only bounds the wait. */
const DRAIN_MS = 500;

export type RankGroupOptions = AssignmentOptions & {
  /** A process that is to become a rank, and writes to `logPath`. */
  takeProcess(logPath: string): RankHandle;
  /** Tells the coordinator now, if it is there: the group's state tells it again. */
  tell(message: AgentMessage): void;
  /** Tells the coordinator in its turn, and again until it is acknowledged. */
  report(message: AgentMessage): void;
};

/** The ranks of one generation on this node, from start to end. */
export class RankGroup {
  readonly fence: GroupFence;
  /** Settles once every rank has ended and its end was told. */
  readonly ended: Promise<void>;
  #markEnded: () => void = () => {};
  readonly #options: RankGroupOptions;
  readonly #facts = new GroupFacts();
  readonly #processes = new Map<number, RankHandle>();
  readonly #steps: Gather<number, StepReport>;
  readonly #checkpoints: Gather<number, CheckpointShards>;
  readonly #failures = new Map<number, RankFailed>();
  readonly #finished = new Map<number, RankFinished>();

  constructor(options: RankGroupOptions) {
    const { start, fence } = options;
    this.fence = fence;
    this.#options = options;
    this.#steps = new Gather(start.ranks);
    this.#checkpoints = new Gather(start.ranks);
    this.ended = new Promise((resolve) => {
      this.#markEnded = resolve;
    });
  }

  /** Starts all ranks; those that cannot be started have ended. */
  start(): void {
    try {
      this.#start();
    } catch (error) {
      this.#failToStart((error as Error).message);
    }
    const watched = [...this.#processes].map(([rank, one]) => this.#watch(rank, one));
    void Promise.all(watched).then(() => this.#markEnded());
  }

  get ranks(): readonly number[] {
    return this.#options.start.ranks;
  }

  get numRunning(): number {
    return [...this.#processes.values()].filter(({ isRunning }) => isRunning).length;
  }

  state(withExits: boolean): RankGroupState {
    return this.#facts.state(this.fence, this.ranks, withExits);
  }

  /** Sends a message to the ranks of this node that it is for. */
  send(message: AgentToRank["message"], isFor: (rank: number) => boolean): void {
    for (const [rank, one] of this.#processes) if (isFor(rank)) one.link.send(message);
  }

  kill(graceMs: number): void {
    for (const one of this.#processes.values()) one.kill(graceMs);
  }

  /** Has every rank write its stacks, and tells them. */
  async dumpStacks(): Promise<void> {
    await Promise.all(
      [...this.#processes].map(async ([rank, one]) => {
        const lines = await stacksOf(one);
        this.#options.tell({ case: "stack", value: create(StackDumpSchema, { rank, lines }) });
      }),
    );
  }

  #start(): void {
    const { start, takeProcess } = this.#options;
    mkdirSync(start.logDirectory, { recursive: true });
    for (const rank of start.ranks) {
      const logPath = join(start.logDirectory, `rank-${rank}.log`);
      const one = takeProcess(logPath);
      this.#processes.set(rank, one);
      one.assign(assignmentOf(rank, this.#options));
      void this.#attend(rank, one);
    }
  }

  /** What a rank says is told behind its start. */
  async #attend(rank: number, one: RankHandle): Promise<void> {
    const pid = await one.started;
    // Of a process that could not be started its exit tells.
    if (pid === undefined) return;
    this.#tell({ case: "rankStarted", value: create(RankStartedSchema, { rank, pid }) });
    one.link.listen((message) => this.#receive(rank, message));
  }

  /** Ranks without a process have ended before they began, and those with one are no use. */
  #failToStart(why: string): void {
    this.kill(0);
    const failure = create(RankFailedSchema, { message: `cannot start ranks: ${why}` });
    for (const rank of this.ranks) {
      if (this.#processes.has(rank)) continue;
      this.#exit({ rank, exitCode: 1, failure });
    }
  }

  #receive(rank: number, message: RankToAgent["message"]): void {
    switch (message.case) {
      case "ready":
        this.#tell({
          case: "rankReady",
          value: create(RankIsReadySchema, { rank, nextStep: message.value.nextStep }),
        });
        break;
      case "step": {
        const reports = this.#steps.add(message.value.step, rank, message.value);
        if (reports) this.#options.report({ case: "step", value: mergeStepReports(reports) });
        break;
      }
      case "checkpoint": {
        const shards = this.#checkpoints.add(message.value.step, rank, message.value);
        if (!shards) break;
        this.#options.report({ case: "checkpoint", value: mergeCheckpointShards(shards) });
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
      case "joined":
        this.#tell(message);
        break;
      case "sample":
        this.#options.report(message);
        break;
    }
  }

  #tell(message: AgentMessage): void {
    this.#facts.note(message);
    this.#options.tell(message);
  }

  async #watch(rank: number, one: RankHandle): Promise<void> {
    const { exitCode, signal, logTail, problem }: RankExit = await one.ended;
    await Promise.race([
      one.link.drained(),
      new Promise((resolve) => setTimeout(resolve, DRAIN_MS).unref()),
    ]);
    const told = problem ? create(RankFailedSchema, { message: problem }) : undefined;
    const failure = this.#failures.get(rank) ?? told;
    const finished = this.#finished.get(rank);
    this.#exit({
      ...{ rank, signal, stderrTail: logTail },
      ...(exitCode === undefined ? {} : { exitCode }),
      ...(failure ? { failure } : {}),
      ...(finished ? { finished } : {}),
    });
  }

  /** An exit is told behind the reports that came before it. */
  #exit(exit: MessageInitShape<typeof RankExitedSchema>): void {
    const value = create(RankExitedSchema, exit);
    this.#facts.note({ case: "rankExited", value });
    this.#options.report({ case: "rankExited", value });
  }
}
