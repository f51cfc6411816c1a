import { create } from "@bufbuild/protobuf";
import { Gather } from "../../proto/gather.ts";
import {
  AcknowledgedSchema,
  type ConnectRequest,
  type ConnectResponse,
  DumpStacksSchema,
  GoodbyeSchema,
  KillRanksSchema,
  type RankGroupState,
} from "../../proto/gen/moestro/v1/agent_pb.js";
import type { Plan } from "../../proto/gen/moestro/v1/plan_pb.js";
import {
  type Rendezvous,
  SaveRequestSchema,
  StopRequestSchema,
} from "../../proto/gen/moestro/v1/rank_pb.js";
import type { CheckpointShards, StepReport } from "../../proto/gen/moestro/v1/report_pb.js";
import { mergeCheckpointShards } from "../../proto/merge-reports.ts";
import { StepGather } from "../../proto/step-gather.ts";
import { MoestroError } from "../errors.ts";
import type { AgentVerdict } from "../fleet/agent-health.ts";
import type { Fleet, Group } from "../fleet/fleet.ts";
import type { Fencing } from "../rpc/agent-service.ts";
import type { GenerationEvents } from "./generation-events.ts";
import { HangWatch } from "./hang-watch.ts";
import type { Decision } from "./policy.ts";
import { type RankStart, ranksOf, startRanks } from "./start-ranks.ts";
import { StragglerWatch } from "./straggler-watch.ts";
import { Verdict } from "./verdict.ts";

/** Acknowledgements are for memory, not for correctness: one now and then will do. */
const ACKNOWLEDGE_EVERY_MS = 500;

export type GenerationOptions = RankStart & {
  fence: Fencing;
  fleet: Fleet;
  /** Up to where the run's records go. */
  recordedStep: number;
  checkpointStep: number;
  /** The ranks run already, begun under another coordinator. */
  adopt: boolean;
};

/**
 * One start of a run's ranks, from placing them to the end of the last. What agents
 * tell may come twice, after a connection broke or the coordinator was replaced; it
 * counts once.
 */
export class Generation implements Group {
  readonly fence: Fencing;
  readonly agentIds: readonly string[];
  /** Settles once every rank has ended; rejects if a handler failed. */
  readonly outcome: Promise<Decision>;
  readonly #options: GenerationOptions;
  readonly #events: GenerationEvents;
  readonly #plan: Plan;
  readonly #verdict: Verdict;
  readonly #started = new Map<number, number>();
  /** Agents that were, and the process that each of them was then. */
  readonly #toldToStart = new Map<string, string>();
  readonly #ready = new Set<number>();
  readonly #ended = new Set<number>();
  readonly #prepared = new Set<string>();
  readonly #steps: StepGather<string>;
  readonly #checkpoints: Gather<string, CheckpointShards>;
  readonly #hang: HangWatch;
  readonly #stragglers = new StragglerWatch();
  #rendezvous: Rendezvous | undefined;
  #isRunning = false;
  #recordedStep: number;
  #checkpointStep: number;
  #acknowledgedAtMs = 0;
  #acknowledgedStep = -1;
  #stop: { checkpoint: boolean } | undefined;
  #killed = false;

  constructor(options: GenerationOptions, events: GenerationEvents) {
    const { fence, placed, plan, recordedStep, checkpointStep, fleet } = options;
    this.#options = options;
    this.#events = events;
    this.#plan = plan;
    this.fence = fence;
    this.agentIds = placed.map(({ agentId }) => agentId);
    this.#recordedStep = recordedStep;
    this.#checkpointStep = checkpointStep;
    this.#steps = new StepGather(this.agentIds, BigInt(recordedStep));
    this.#checkpoints = new Gather(this.agentIds);
    this.#verdict = new Verdict(plan, (reason) => {
      events.failing(reason);
      this.#kill();
    });
    if (options.adopt) for (const agentId of this.agentIds) this.#place(agentId);
    this.#hang = new HangWatch({
      isTraining: () => this.#isRunning && !this.#killed && !this.#verdict.isAnyAway,
      isEnding: () => this.#isEnding,
      hanging: (reason) => this.#hanging(reason),
      hung: (reason) => this.#guard(() => this.#verdict.hung(reason)),
    });
    this.outcome = this.#verdict.outcome.finally(() => this.close());
    fleet.attach(this);
  }

  /** The ranks' processes as far as told. */
  get pids(): ReadonlyMap<number, number> {
    return this.#started;
  }

  get progressAtMs(): number {
    return this.#hang.progressAtMs;
  }

  /** When the first sign of its end was seen, of the clock of `performance.now`. */
  get evidenceAtMs(): number {
    return this.#verdict.evidenceAtMs;
  }

  /** Hears and says no more; the ranks go on, for another coordinator to take over. */
  close(): void {
    this.#hang.close();
    this.#verdict.close();
    this.#options.fleet.detach(this);
  }

  // --- what people ask ---

  /** Asks the ranks to end after this step, with a checkpoint, or ends them. */
  stop(checkpoint: boolean): void {
    // Ranks that run since before this coordinator led are told when they are heard of.
    if (checkpoint && (this.#isRunning || this.#options.adopt)) {
      this.#stop = { checkpoint };
      this.#sendStop();
      return;
    }
    this.#verdict.killRequested();
    this.#kill();
  }

  /** Asks for a checkpoint at the end of the step that runs. */
  saveCheckpoint(): void {
    this.#toLeader({ case: "save", value: create(SaveRequestSchema) });
  }

  /** Lets the agents forget the generation. */
  dismiss(): void {
    this.#broadcast({ case: "goodbye", value: create(GoodbyeSchema) });
  }

  // --- what the fleet tells ---

  agentConnected(agentId: string, state: RankGroupState | undefined): void {
    this.#guard(() => {
      this.#verdict.agentBack(agentId);
      this.#hang.deaf();
      this.#steps.sendsAgain(agentId);
      if (state) {
        this.#takeOver(agentId, state);
        this.#bringUpToDate(agentId);
      } else if (this.#hasStarted(agentId)) {
        const why = `agent ${agentId} began anew, and its ranks ended with the one before`;
        this.#verdict.agentLost(agentId, why);
      } else {
        this.#startOn(agentId);
      }
    });
  }

  received(agentId: string, message: ConnectRequest["message"]): void {
    this.#guard(() => this.#handle(agentId, message));
  }

  agentJudged(agentId: string, { verdict, reason }: AgentVerdict): void {
    this.#guard(() => {
      this.#hang.deaf();
      this.#events.agentJudged(agentId, verdict, reason);
      if (verdict === "lost") this.#verdict.agentLost(agentId, reason);
      else if (verdict === "silent") this.#verdict.agentAway(agentId);
      else this.#verdict.agentBack(agentId);
    });
  }

  // --- inside ---

  /**
   * Whether ranks may have run there that do not now. One that is the same process and
   * says nothing of them never heard that it was to start them.
   */
  #hasStarted(agentId: string): boolean {
    const { adopt, placed } = this.#options;
    const told = this.#toldToStart.get(agentId);
    return (
      adopt ||
      ranksOf(placed, agentId).some((rank) => this.#started.has(rank)) ||
      (told !== undefined && told !== this.#incarnationOf(agentId))
    );
  }

  #incarnationOf(agentId: string): string | undefined {
    return this.#options.fleet.member(agentId)?.hello?.incarnation;
  }

  #place(agentId: string): void {
    this.#verdict.placed(agentId, ranksOf(this.#options.placed, agentId));
  }

  /** As far as it is needed: rank 0's agent is told it, and is there then. */
  get #rendezvousHost(): string {
    const [first = ""] = this.agentIds;
    return this.#options.fleet.member(first)?.hello?.address ?? "";
  }

  #startOn(agentId: string): void {
    // Asked to stop, or an agent went, before anything was started.
    if (this.#verdict.forbidsStart) return;
    this.#toldToStart.set(agentId, this.#incarnationOf(agentId) ?? "");
    this.#place(agentId);
    this.#send(agentId, {
      case: "start",
      value: startRanks(this.#options, agentId, this.#rendezvousHost),
    });
    if (this.#rendezvous) this.#send(agentId, { case: "rendezvous", value: this.#rendezvous });
  }

  /** What an agent had to tell while nobody heard it. */
  #takeOver(agentId: string, state: RankGroupState): void {
    for (const value of state.started) this.#handle(agentId, { case: "rankStarted", value });
    if (state.rendezvous && !this.#rendezvous) {
      this.#handle(agentId, { case: "rendezvous", value: state.rendezvous });
    }
    if (state.data) this.#handle(agentId, { case: "data", value: state.data });
    for (const value of state.ready) this.#handle(agentId, { case: "rankReady", value });
    for (const value of state.exits) this.#handle(agentId, { case: "rankExited", value });
  }

  /** What an agent may have missed while it was away. */
  #bringUpToDate(agentId: string): void {
    if (this.#killed) {
      this.#send(agentId, killNow());
      return;
    }
    if (this.#rendezvous) this.#send(agentId, { case: "rendezvous", value: this.#rendezvous });
    if (agentId !== this.agentIds[0]) return;
    for (const value of this.#events.coefficients())
      this.#send(agentId, { case: "coefficients", value });
    if (this.#stop) this.#sendStop();
  }

  #handle(agentId: string, message: ConnectRequest["message"]): void {
    switch (message.case) {
      case "rankStarted": {
        const { rank, pid } = message.value;
        if (this.#started.get(rank) === pid) break;
        this.#started.set(rank, pid);
        this.#events.rankStarted(rank, pid, agentId);
        break;
      }
      case "rendezvous":
        this.#rendezvous = message.value;
        this.#broadcast(message);
        break;
      case "data":
        if (this.#prepared.has(agentId)) break;
        this.#prepared.add(agentId);
        this.#events.dataPrepared(message.value);
        break;
      case "joined":
        this.#events.joined();
        break;
      case "rankReady":
        this.#rankReady(message.value.rank, Number(message.value.nextStep));
        break;
      case "step": {
        const receivedAtMs = performance.now();
        this.#checkStep(agentId, message.value);
        if (message.value.step > this.#steps.newest) this.#hang.step(message.value.stepMs);
        for (const report of this.#steps.add(agentId, message.value)) {
          const value = this.#events.step(report);
          this.#recordedStep = Number(report.step);
          for (const { message, ...details } of this.#stragglers.add(report)) {
            this.#events.straggler(message, details);
          }
          if (!value) continue;
          this.#toLeader({ case: "coefficients", value });
          this.#events.controlled(performance.now() - receivedAtMs);
        }
        this.#acknowledge(false);
        for (const other of this.#steps.toSendAgain()) {
          this.#options.fleet.reconnect(other, "what it reported is needed again");
        }
        break;
      }
      case "checkpoint":
        this.#checkpointWritten(agentId, message.value);
        break;
      case "sample":
        this.#events.sampled(message.value);
        break;
      case "rankExited":
        if (this.#ended.has(message.value.rank)) break;
        this.#ended.add(message.value.rank);
        this.#events.rankExited(message.value);
        if (message.value.signal === "SIGTERM") this.#seeLeaving(agentId);
        this.#verdict.rankExited(message.value);
        break;
      case "stack":
        this.#events.stack(message.value.rank, message.value.lines);
        break;
      default:
        throw new Error(`agent ${agentId} sent ${message.case ?? "nothing"} out of turn`);
    }
  }

  /** Ranks of an agent that leaves end with it, if they did not move away in time. */
  #seeLeaving(agentId: string): void {
    const leaving = this.#options.fleet.member(agentId)?.leaving;
    if (leaving !== undefined)
      this.#verdict.agentLost(agentId, `agent ${agentId} left: ${leaving}`);
  }

  #rankReady(rank: number, nextStep: number): void {
    this.#ready.add(rank);
    if (this.#isRunning || this.#ready.size < this.#plan.worldSize) return;
    this.#isRunning = true;
    this.#hang.begin();
    this.#events.running(nextStep);
    if (this.#stop) this.#sendStop();
  }

  /** The controller goes through every step up to a report's: one that cannot be would keep it for ever. */
  #checkStep(agentId: string, { step, numSteps }: StepReport): void {
    const last = this.#options.job.training?.steps ?? 0n;
    if (step >= 1n && step <= last && numSteps >= 0 && BigInt(numSteps) <= step) return;
    const what = `step ${step} for ${numSteps} steps`;
    throw new MoestroError("run_failed", `agent ${agentId} reported ${what}, of ${last} in all`);
  }

  #checkpointWritten(agentId: string, shards: CheckpointShards): void {
    if (
      Number(shards.step) <= this.#checkpointStep ||
      this.#checkpoints.has(shards.step, agentId)
    ) {
      return;
    }
    const parts = this.#checkpoints.add(shards.step, agentId, shards);
    if (!parts) return;
    this.#events.checkpointWritten(mergeCheckpointShards(parts));
    this.#checkpointStep = Number(shards.step);
    this.#acknowledge(true);
  }

  #acknowledge(atOnce: boolean): void {
    const now = performance.now();
    const { step, checkpointStep } = this.#events.written;
    if (!atOnce && step === this.#acknowledgedStep) return;
    if (!atOnce && now - this.#acknowledgedAtMs < ACKNOWLEDGE_EVERY_MS) return;
    this.#acknowledgedAtMs = now;
    this.#acknowledgedStep = step;
    const value = create(AcknowledgedSchema, {
      step: BigInt(step),
      checkpointStep: BigInt(checkpointStep),
    });
    this.#broadcast({ case: "acknowledged", value });
  }

  #hanging(reason: string): void {
    this.#events.hanging(reason);
    this.#broadcast({ case: "dumpStacks", value: create(DumpStacksSchema) });
  }

  /** Behind the last step, and behind that of a stop, ranks write and sample. */
  get #isEnding(): boolean {
    const lastStep = Number(this.#options.job.training?.steps ?? 0n);
    return this.#stop !== undefined || this.#recordedStep >= lastStep;
  }

  /** A failure of the coordinator itself ends the ranks. */
  #guard(body: () => void): void {
    try {
      body();
    } catch (error) {
      this.#verdict.coordinatorFailed(error as Error);
      this.#kill();
    }
  }

  #kill(): void {
    this.#killed = true;
    this.#broadcast(killNow());
  }

  #sendStop(): void {
    const { checkpoint = true } = this.#stop ?? {};
    this.#toLeader({ case: "stop", value: create(StopRequestSchema, { checkpoint }) });
  }

  /** To rank 0's agent: rank 0 hands on what it is told with the loss reduction. */
  #toLeader(message: ConnectResponse["message"]): void {
    const [leader] = this.agentIds;
    if (leader !== undefined) this.#send(leader, message);
  }

  #broadcast(message: ConnectResponse["message"]): void {
    for (const agentId of this.agentIds) this.#send(agentId, message);
  }

  #send(agentId: string, message: ConnectResponse["message"]): void {
    this.#options.fleet.send(agentId, this.fence, message);
  }
}

function killNow(): ConnectResponse["message"] {
  return { case: "kill", value: create(KillRanksSchema, { graceMs: 0n }) };
}
