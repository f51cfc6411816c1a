import { create } from "@bufbuild/protobuf";
import { Gather } from "../../proto/gather.ts";
import {
  type ConnectRequest,
  GoodbyeSchema,
  KillRanksSchema,
  type RankExited,
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
import { type Decision, decide, type GenerationFacts } from "./policy.ts";

/** Peers of a dead rank fail within this time; waiting for them shows who was first. */
const BLAME_WINDOW_MS = 300;
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
  readonly #exits: RankExited[] = [];
  readonly #lost: { agentId: string; why: string }[] = [];
  readonly #ready = new Set<number>();
  readonly #heardAtMs = new Map<string, number>();
  readonly #silent = new Set<string>();
  readonly #watch: NodeJS.Timeout;
  readonly #placed = new Map<string, readonly number[]>();
  #steps: Gather<string, StepReport> | undefined;
  #checkpoints: Gather<string, CheckpointShards> | undefined;
  #leader: AgentSession | undefined;
  #killRequested = false;
  #blaming: NodeJS.Timeout | undefined;
  /** Fixed before ranks are ended: what follows from that must not be blamed. */
  #verdict: Decision | undefined;
  #resolve: (decision: Decision) => void = () => {};
  #reject: (error: Error) => void = () => {};

  constructor(options: GenerationOptions, events: GenerationEvents) {
    this.#options = options;
    this.#events = events;
    this.outcome = new Promise<Decision>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    }).finally(() => clearInterval(this.#watch));
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
    this.#lost.push({ agentId: session.hello.agentId, why });
    this.#judge();
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
    this.#killRequested = true;
    this.#killRanks(0);
    this.#judge();
  }

  /** Lets the agents go; they end once their ranks have. */
  dismiss(): void {
    this.#broadcast({ case: "goodbye", value: create(GoodbyeSchema) });
  }

  // --- inside ---

  #start(): void {
    // Asked to stop, or an agent went, before anything was started.
    if (this.#killRequested || this.#lost.length > 0) return;
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
        this.#placed.set(session.hello.agentId, ranks);
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
        this.#exits.push(message.value);
        this.#judge();
        break;
      default:
        throw new Error(`agent ${agentId} sent ${message.case ?? "nothing"} out of turn`);
    }
  }

  #judge(): void {
    const facts: GenerationFacts = {
      worldSize: this.#options.plan.worldSize,
      exits: this.#exits,
      lostAgents: this.#lost,
      killRequested: this.#killRequested,
    };
    const decision = decide(facts);
    if (decision.decision === "continue") return;
    if (this.#nothingMoreComes()) {
      clearTimeout(this.#blaming);
      this.#resolve(this.#verdict ?? decision);
      return;
    }
    if (decision.decision !== "fail" || this.#blaming) return;
    this.#blaming = setTimeout(() => {
      this.#verdict = decide(facts);
      this.#events.failing(this.#verdict.reason);
      this.#killRanks(KILL_GRACE_MS);
    }, BLAME_WINDOW_MS);
  }

  /** Whether every rank has ended, or was an agent's that is gone and cannot tell. */
  #nothingMoreComes(): boolean {
    if (this.#placed.size === 0) return true;
    const silent = new Set(this.#lost.flatMap(({ agentId }) => this.#placed.get(agentId) ?? []));
    const told = this.#exits.filter(({ rank }) => !silent.has(rank));
    return told.length + silent.size >= this.#options.plan.worldSize;
  }

  /** A failure of the coordinator itself, such as a full disk, ends the ranks. */
  #giveUp(error: Error): void {
    clearTimeout(this.#blaming);
    this.#killRanks(KILL_GRACE_MS);
    this.#reject(error);
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
