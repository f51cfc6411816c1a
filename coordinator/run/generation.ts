import { create } from "@bufbuild/protobuf";
import { Gather } from "../../proto/gather.ts";
import {
  type ConnectRequest,
  GoodbyeSchema,
  KillRanksSchema,
  StartRanksSchema,
} from "../../proto/gen/moestro/v1/agent_pb.js";
import type { EngineJob } from "../../proto/gen/moestro/v1/job_pb.js";
import type { Plan } from "../../proto/gen/moestro/v1/plan_pb.js";
import {
  CheckpointReferenceSchema,
  type Coefficients,
  StopRequestSchema,
} from "../../proto/gen/moestro/v1/rank_pb.js";
import type {
  CheckpointShards,
  DataPrepared,
  Sample,
  StepReport,
} from "../../proto/gen/moestro/v1/report_pb.js";
import { mergeCheckpointShards, mergeStepReports } from "../../proto/merge-reports.ts";
import type { AgentEvents, AgentSession, Fencing } from "../rpc/agent-service.ts";
import type { CommittedCheckpoint } from "./ledger.ts";
import { placeRanks } from "./placement.ts";
import type { Decision } from "./policy.ts";
import { Verdict } from "./verdict.ts";

/** Agents send a heartbeat every second. */
const SILENCE_MS = 10_000;
/** From SIGTERM to SIGKILL. */
const KILL_GRACE_MS = 2000;

export type GenerationOptions = {
  fence: Fencing;
  job: EngineJob;
  plan: Plan;
  /** The agents that take part, in the order ranks are placed. */
  agentIds: readonly string[];
  restore: CommittedCheckpoint | undefined;
  /** Coefficients of the first steps. */
  coefficients: readonly Coefficients[];
  collectiveTimeoutMs: number;
  networkInterface: string;
  rendezvousHost: string;
  logDirectory: string;
};

/** What a generation tells of itself. A handler that throws ends the generation. */
export type GenerationEvents = {
  rankStarted(rank: number, pid: number): void;
  dataPrepared(data: DataPrepared): void;
  /** All ranks stand and begin with `nextStep`. */
  running(nextStep: number): void;
  /** A step of all ranks. Returns what is to take effect, if anything is. */
  step(report: StepReport): Coefficients | undefined;
  checkpointWritten(shards: CheckpointShards): void;
  sampled(sample: Sample): void;
  /** A message of another run, generation or coordinator was refused. */
  refusedStale(agentId: string, kind: string): void;
  /** An agent has not been heard of for a while, or is heard of again. */
  agentSilent(agentId: string, isSilent: boolean): void;
  /** The run is being given up; `reason` says why, ranks are being ended. */
  failing(reason: string): void;
};

/** One start of a run's ranks, from placing them to the end of the last. */
export class Generation implements AgentEvents {
  /** Settles once every rank has ended; rejects if a handler failed. */
  readonly outcome: Promise<Decision>;
  readonly #options: GenerationOptions;
  readonly #events: GenerationEvents;
  readonly #sessions = new Map<string, AgentSession>();
  readonly #verdict: Verdict;
  readonly #ready = new Set<number>();
  readonly #heardAtMs = new Map<string, number>();
  readonly #silent = new Set<string>();
  readonly #watch: NodeJS.Timeout;
  #steps: Gather<string, StepReport> | undefined;
  #checkpoints: Gather<string, CheckpointShards> | undefined;
  #leader: AgentSession | undefined;

  constructor(options: GenerationOptions, events: GenerationEvents) {
    this.#options = options;
    this.#events = events;
    this.#verdict = new Verdict(options.plan, (reason) => {
      events.failing(reason);
      this.#killRanks(KILL_GRACE_MS);
    });
    this.outcome = this.#verdict.outcome.finally(() => clearInterval(this.#watch));
    this.#watch = setInterval(() => this.#noticeSilence(), SILENCE_MS / 4).unref();
  }

  // --- what agents tell ---

  connected(session: AgentSession): string | undefined {
    const { agentId } = session.hello;
    if (!this.#options.agentIds.includes(agentId))
      return `agent ${agentId} has no part in this run`;
    if (this.#sessions.has(agentId)) return `agent ${agentId} is connected already`;
    this.#sessions.set(agentId, session);
    // The welcome must go out before the ranks are asked for.
    if (this.#sessions.size === this.#options.agentIds.length) setImmediate(() => this.#start());
    return undefined;
  }

  received(session: AgentSession, request: ConnectRequest): void {
    const { message, fence } = request;
    this.#heardAtMs.set(session.hello.agentId, performance.now());
    if (message.case === "heartbeat") return;
    const ours = this.#options.fence;
    if (
      fence?.runId !== ours.runId ||
      fence.generation !== ours.generation ||
      fence.coordinatorEpoch !== ours.coordinatorEpoch
    ) {
      this.#events.refusedStale(session.hello.agentId, message.case ?? "unknown");
      return;
    }
    try {
      this.#handle(session, message);
    } catch (error) {
      this.#giveUp(error as Error);
    }
  }

  lost(session: AgentSession, why: string): void {
    this.#verdict.agentLost(session.hello.agentId, why);
  }

  // --- what people ask ---

  /** Asks the ranks to end after this step, with a checkpoint, or ends them. */
  stop(checkpoint: boolean): void {
    const standing = this.#ready.size === this.#options.plan.worldSize;
    if (checkpoint && standing) {
      const stop = { case: "stop", value: create(StopRequestSchema, { checkpoint }) } as const;
      this.#leader?.send(this.#options.fence, stop);
      return;
    }
    this.#killRanks(0);
    this.#verdict.killRequested();
  }

  /** Lets the agents go; they end once their ranks have. */
  dismiss(): void {
    this.#broadcast({ case: "goodbye", value: create(GoodbyeSchema) });
  }

  // --- inside ---

  #start(): void {
    // Asked to stop, or an agent went, before anything was started.
    if (this.#verdict.forbidsStart) return;
    const { agentIds, plan, fence } = this.#options;
    const sessions = agentIds.flatMap((id) => this.#sessions.get(id) ?? []);
    try {
      const placed = placeRanks(
        plan.worldSize,
        sessions.map((one) => one.hello.numSlots),
      );
      const taking = sessions.filter((_, index) => placed[index]?.length);
      const ids = taking.map((session) => session.hello.agentId);
      this.#steps = new Gather(ids);
      this.#checkpoints = new Gather(ids);
      this.#leader = taking[0];
      sessions.forEach((session, index) => {
        const ranks = placed[index] ?? [];
        this.#verdict.placed(session.hello.agentId, ranks);
        if (ranks.length > 0)
          session.send(fence, { case: "start", value: this.#startRanks(ranks) });
      });
    } catch (error) {
      this.#giveUp(error as Error);
    }
  }

  #startRanks(ranks: number[]) {
    const { job, plan, restore, coefficients, collectiveTimeoutMs } = this.#options;
    const { networkInterface, rendezvousHost, logDirectory } = this.#options;
    const reference = restore && {
      step: BigInt(restore.manifest.step),
      directory: restore.directory,
      files: restore.manifest.shards.files.map(({ name }) => name),
    };
    return create(StartRanksSchema, {
      ...{ job, plan, ranks, coefficients: [...coefficients] },
      ...{ networkInterface, rendezvousHost, logDirectory },
      ...(reference ? { restore: create(CheckpointReferenceSchema, reference) } : {}),
      collectiveTimeoutMs: BigInt(collectiveTimeoutMs),
    });
  }

  #handle(session: AgentSession, message: ConnectRequest["message"]): void {
    const { agentId } = session.hello;
    switch (message.case) {
      case "rankStarted":
        this.#events.rankStarted(message.value.rank, message.value.pid);
        break;
      case "rendezvous":
        this.#broadcast(message);
        break;
      case "data":
        this.#events.dataPrepared(message.value);
        break;
      case "rankReady":
        this.#ready.add(message.value.rank);
        if (this.#ready.size === this.#options.plan.worldSize) {
          this.#events.running(Number(message.value.nextStep));
        }
        break;
      case "step": {
        const reports = this.#steps?.add(message.value.step, agentId, message.value);
        if (!reports) break;
        const value = this.#events.step(mergeStepReports(reports));
        if (value) this.#leader?.send(this.#options.fence, { case: "coefficients", value });
        break;
      }
      case "checkpoint": {
        const shards = this.#checkpoints?.add(message.value.step, agentId, message.value);
        if (shards) this.#events.checkpointWritten(mergeCheckpointShards(shards));
        break;
      }
      case "sample":
        this.#events.sampled(message.value);
        break;
      case "rankExited":
        this.#verdict.rankExited(message.value);
        break;
      default:
        throw new Error(`agent ${agentId} sent ${message.case ?? "nothing"} out of turn`);
    }
  }

  /** A failure of the coordinator itself, such as a full disk, ends the ranks. */
  #giveUp(error: Error): void {
    this.#killRanks(KILL_GRACE_MS);
    this.#verdict.coordinatorFailed(error);
  }

  /** A missed heartbeat is no reason to end anything; it is one to say what is waited for. */
  #noticeSilence(): void {
    for (const [agentId, heardAtMs] of this.#heardAtMs) {
      const isSilent = performance.now() - heardAtMs > SILENCE_MS;
      if (isSilent === this.#silent.has(agentId)) continue;
      if (isSilent) this.#silent.add(agentId);
      else this.#silent.delete(agentId);
      this.#events.agentSilent(agentId, isSilent);
    }
  }

  #killRanks(graceMs: number): void {
    const value = create(KillRanksSchema, { graceMs: BigInt(graceMs) });
    this.#broadcast({ case: "kill", value });
  }

  #broadcast(message: Parameters<AgentSession["send"]>[1]): void {
    for (const session of this.#sessions.values()) session.send(this.#options.fence, message);
  }
}
