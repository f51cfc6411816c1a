import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  AgentHelloSchema,
  type ConnectRequest,
  ConnectRequestSchema,
  type ConnectResponse,
  FenceSchema,
  HeartbeatSchema,
  RankExitedSchema,
  type RankGroupState,
  RankGroupStateSchema,
  type StartRanks,
} from "../../proto/gen/moestro/v1/agent_pb.js";
import { CheckpointShardsSchema, StepReportSchema } from "../../proto/gen/moestro/v1/report_pb.js";
import type { Fleet } from "../fleet/fleet.ts";
import type { AgentSession, Fencing } from "../rpc/agent-service.ts";

type Message = ConnectRequest["message"];

/** What one agent carries out. */
type Group = {
  fence: Fencing;
  start: StartRanks;
  /** Facts that a new connection begins with. */
  facts: RankGroupState;
  /** Reports that no coordinator has acknowledged. */
  kept: { step: number; message: Message }[];
  step: number;
  alive: boolean;
  stopping: boolean;
};

/**
 * An agent with its ranks, without processes or network, for tests of what the
 * coordinator makes of it: it does what it is told and keeps what it is not thanked for,
 * as worker/agent does.
 */
export class SimulatedAgent {
  readonly agentId: string;
  #fleet: Fleet;
  readonly #generations: number[] = [];
  #incarnation = 0;
  #isCaughtUp = false;
  #session: AgentSession | undefined;
  #group: Group | undefined;

  constructor(agentId: string, fleet: Fleet) {
    this.agentId = agentId;
    this.#fleet = fleet;
  }

  /** Generations it was told to start, in order. */
  get generations(): readonly number[] {
    return this.#generations;
  }

  /** The last step its ranks made; undefined if none run. */
  get step(): number | undefined {
    return this.#group?.alive ? this.#group.step : undefined;
  }

  /** To the coordinator it knows, or to a new one. */
  connect(fleet = this.#fleet): void {
    this.#fleet = fleet;
    const group = this.#group;
    const hello = create(AgentHelloSchema, {
      ...{ agentId: this.agentId, numSlots: 2, incarnation: String(this.#incarnation) },
      address: "127.0.0.1",
      groups: group ? [create(RankGroupStateSchema, { ...group.facts, exits: [] })] : [],
    });
    const session: AgentSession = {
      hello,
      send: (fence, message) => {
        if (this.#session === session) this.#told(fence, message);
      },
      close: () => {
        if (this.#session !== session) return;
        this.#session = undefined;
        fleet.lost(session);
      },
    };
    if (fleet.refusal() !== undefined || fleet.connected(session) !== undefined) return;
    this.#session = session;
    this.#isCaughtUp = false;
    // After the welcome and what the coordinator says at once; what is new waits behind it.
    setImmediate(() => {
      if (this.#session !== session) return;
      this.#isCaughtUp = true;
      for (const { message } of [...(this.#group?.kept ?? [])]) this.#send(message);
      // Behind the reports: an end that is told of is the last thing.
      for (const value of this.#group?.facts.exits ?? []) this.#send({ case: "rankExited", value });
    });
  }

  disconnect(): void {
    this.#session?.close("its connection broke");
  }

  /** The agent's process dies, its ranks with it; another one of its name connects. */
  restart(): void {
    this.disconnect();
    this.#incarnation += 1;
    this.#group = undefined;
    this.connect();
  }

  heartbeat(): void {
    this.#send({ case: "heartbeat", value: create(HeartbeatSchema) });
  }

  /** Whether rank 0, if it is here, was asked to stop. */
  get isStopping(): boolean {
    return this.#group?.stopping ?? false;
  }

  /** All ranks here make their next step; at the job's last one, or at that of a stop, they end. */
  makeStep(lastStep: number, everySteps: number, stopping: boolean): void {
    const group = this.#group;
    if (!group?.alive) return;
    group.stopping ||= stopping;
    group.step += 1;
    const { step } = group;
    this.#keep(step, { case: "step", value: reportOf(step, group.start.ranks.length) });
    if (step % everySteps === 0 || step === lastStep || group.stopping) {
      const numRanks = group.start.ranks.length;
      const folder = `step-${String(step).padStart(8, "0")}`;
      mkdirSync(join(group.start.job?.checkpoint?.directory ?? "", folder), { recursive: true });
      const value = create(CheckpointShardsSchema, { step: BigInt(step), numRanks });
      this.#keep(step, { case: "checkpoint", value });
    }
    if (step < lastStep && !group.stopping) return;
    const finished = { lastStep: BigInt(step), stoppedEarly: step < lastStep };
    for (const rank of group.start.ranks) this.#exit({ rank, exitCode: 0, finished });
    group.alive = false;
  }

  /** One rank dies by a signal; the others lose their peer. */
  killRank(): void {
    const group = this.#group;
    if (!group?.alive) return;
    const [first = 0, ...others] = group.start.ranks;
    this.#exit({ rank: first, signal: "SIGKILL" });
    for (const rank of others) this.#exit(lostPeer(rank));
    group.alive = false;
  }

  /** Ranks of another agent died. */
  losePeers(): void {
    const group = this.#group;
    if (!group?.alive) return;
    for (const rank of group.start.ranks) this.#exit(lostPeer(rank));
    group.alive = false;
  }

  #told(fence: Fencing, message: ConnectResponse["message"]): void {
    const group = this.#group;
    switch (message.case) {
      case "start":
        if (group && group.fence.generation >= fence.generation) return;
        this.#start(fence, message.value);
        break;
      case "stop":
        if (group) group.stopping = true;
        break;
      case "kill":
        if (!group?.alive || group.fence.generation > fence.generation) return;
        group.alive = false;
        for (const rank of group.start.ranks) this.#exit({ rank, signal: "SIGKILL" });
        break;
      case "goodbye":
        if (group && group.fence.generation <= fence.generation) this.#group = undefined;
        break;
      case "acknowledged": {
        const { step, checkpointStep } = message.value;
        if (!group) return;
        group.kept = group.kept.filter((one) =>
          one.message.case === "step" ? one.step > step : one.step > checkpointStep,
        );
        break;
      }
    }
  }

  #start(fence: Fencing, start: StartRanks): void {
    this.#generations.push(Number(fence.generation));
    const step = Number(start.restore?.step ?? 0n);
    const facts = newFacts(fence, start, step);
    this.#group = { fence, start, facts, kept: [], step, alive: true, stopping: false };
    // The coordinator hears of it later, as over a network.
    setImmediate(() => {
      for (const value of facts.started) this.#send({ case: "rankStarted", value });
      if (facts.data) this.#send({ case: "data", value: facts.data });
      for (const value of facts.ready) this.#send({ case: "rankReady", value });
    });
  }

  #exit(exit: MessageInitShape<typeof RankExitedSchema>): void {
    const value = create(RankExitedSchema, exit);
    this.#group?.facts.exits.push(value);
    if (this.#isCaughtUp) this.#send({ case: "rankExited", value });
  }

  #keep(step: number, message: Message): void {
    this.#group?.kept.push({ step, message });
    if (this.#isCaughtUp) this.#send(message);
  }

  #send(message: Message): void {
    const session = this.#session;
    const fence = this.#group?.fence;
    if (!session) return;
    this.#fleet.received(
      session,
      create(ConnectRequestSchema, {
        message,
        ...(fence ? { fence: create(FenceSchema, fence) } : {}),
      }),
    );
  }
}

function newFacts(fence: Fencing, { ranks }: StartRanks, step: number): RankGroupState {
  return create(RankGroupStateSchema, {
    fence: create(FenceSchema, fence),
    ranks: [...ranks],
    started: ranks.map((rank) => ({ rank, pid: 1_000_000 + rank })),
    data: { trainTokens: 1000n, validationTokens: 100n, sourceHash: "the text" },
    ready: ranks.map((rank) => ({ rank, nextStep: BigInt(step + 1) })),
  });
}

function lostPeer(rank: number): MessageInitShape<typeof RankExitedSchema> {
  return { rank, exitCode: 1, failure: { message: "another rank has gone", lostPeer: true } };
}

/** The loss is the same whenever the step is made. */
function reportOf(step: number, numRanks: number) {
  return create(StepReportSchema, {
    ...{ step: BigInt(step), numRanks, lossSum: 100 / step, lossTokens: 10n, stepMs: 1 },
    layers: Array.from({ length: 6 }, (_, layer) => ({
      ...{ layer, routed: Array(8).fill(4), dropped: Array(8).fill(1), auxLossCount: 1 },
    })),
  });
}
