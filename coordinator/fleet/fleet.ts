import { create } from "@bufbuild/protobuf";
import {
  type AgentHello,
  type ConnectRequest,
  type ConnectResponse,
  GoodbyeSchema,
  HeartbeatReplySchema,
  KillRanksSchema,
  type ProbeResult,
  ProbeSchema,
  type RankGroupState,
} from "../../proto/gen/moestro/v1/agent_pb.js";
import type { AgentEvents, AgentSession, Fencing } from "../rpc/agent-service.ts";
import { notLeading } from "../rpc/not-leading.ts";
import { printable } from "../rpc/printable.ts";
import {
  type AgentProbe,
  type AgentVerdict,
  HEALTH_OPTIONS,
  judgeAgent,
  SILENT_AFTER_MS,
} from "./agent-health.ts";

/** Between two looks at who is silent. */
const TICK_MS = 250;
/** Between two questions to the peers of a silent agent. */
const PROBE_EVERY_MS = 500;
const PROBE_TIMEOUT_MS = 1000;
/** Between two tries to reach an agent that is well and was not reached so far. */
const REACH_EVERY_MS = 3000;
/** How long an agent may still tell of ranks that are nobody's any more. */
const LAST_WORDS_MS = 3000;
/** Agents asked after between two looks: where more are silent, the rest has to wait. */
const MAX_QUESTIONS = 100;
/** Peers asked at a time. */
const NUM_ASKED = 3;
/** A tick this late means that this process was stopped: what looks silent may wait in its sockets. */
const STOPPED_MS = 1000;

/** The generation of a run that has ranks on some agents. */
export type Group = {
  readonly fence: Fencing;
  readonly agentIds: readonly string[];
  /** When ranks were last known to make a step; of the clock of `performance.now`. */
  readonly progressAtMs: number;
  /** The agent is there, with what it has of the generation: nothing, if it began after it. */
  agentConnected(agentId: string, state: RankGroupState | undefined): void;
  received(agentId: string, message: ConnectRequest["message"]): void;
  /** Told when the verdict on one of the agents changes. */
  agentJudged(agentId: string, verdict: AgentVerdict): void;
};

/** An agent that is connected, or has ranks and should be. */
export type Member = {
  readonly agentId: string;
  readonly hello: AgentHello | undefined;
  /** The one run whose ranks it may have; undefined if it may have any. */
  readonly runId: string | undefined;
  readonly verdict: AgentVerdict;
  /** Why it is about to end; undefined if it is not. */
  readonly leaving: string | undefined;
  /** Milliseconds since something was heard of it. */
  readonly silentMs: number;
  /** Milliseconds since this process of it came here first. */
  readonly hereMs: number;
};

export type FleetOptions = {
  /** This coordinator's epoch while it leads; undefined while it does not. */
  epoch(): bigint | undefined;
  /** Who leads, as far as known. */
  leader(): string | undefined;
  /** Why an agent that nothing is heard of will not come back, by whoever runs its machine. */
  whyGone?(agent: { agentId: string; wasHere: boolean; silentMs: number }): string | undefined;
  /** Agents, or what they are good for, have changed. */
  changed(): void;
  /** An agent is about to end: what it has is to go elsewhere. */
  leaving?(agentId: string, reason: string): void;
  /** An agent has seen a coordinator of a later epoch. */
  overtaken(): void;
  /** A message of another run or generation was refused. */
  refusedStale(agentId: string, request: ConnectRequest): void;
};

type Known = {
  hello: AgentHello | undefined;
  /** Of the last session. */
  runId: string | undefined;
  session: AgentSession | undefined;
  heardAtMs: number;
  cameAtMs: number;
  probes: AgentProbe[];
  wasReached: boolean;
  askedAtMs: number;
  /** Who has not answered yet. */
  asked: Set<string>;
  leaving: string | undefined;
  verdict: AgentVerdict;
};

/** Agents that can be asked about one another. */
type Pool = {
  /** Those that something was heard of lately. */
  readonly heard: readonly string[];
  readonly numKnown: number;
};

const NOBODY: Pool = { heard: [], numKnown: 0 };

const PRESENT: AgentVerdict = { verdict: "present", reason: "" };

/** All agents of this coordinator, across their connections. */
export class Fleet implements AgentEvents {
  readonly #options: FleetOptions;
  readonly #known = new Map<string, Known>();
  readonly #groups = new Map<string, Group>();
  /** The groups with ranks on an agent: with thousands of agents none is looked for. */
  readonly #groupsByAgent = new Map<string, Set<Group>>();
  readonly #timer: NodeJS.Timeout;
  /** As it was at the last look, by pool. */
  #pools: ReadonlyMap<string, Pool> = new Map();
  #questionsLeft = MAX_QUESTIONS;
  #tickedAtMs = performance.now();

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
  }

  members(): Member[] {
    const now = performance.now();
    return [...this.#known].map(([agentId, known]) => memberOf(agentId, known, now));
  }

  member(agentId: string): Member | undefined {
    const known = this.#known.get(agentId);
    return known && memberOf(agentId, known, performance.now());
  }

  /** Hands the group what its agents tell, and tells it of those that are here already. */
  attach(group: Group): void {
    const before = this.#groups.get(group.fence.runId);
    if (before) this.#unlink(before);
    this.#groups.set(group.fence.runId, group);
    for (const agentId of group.agentIds) {
      const groups = this.#groupsByAgent.get(agentId) ?? new Set();
      this.#groupsByAgent.set(agentId, groups.add(group));
    }
    for (const agentId of group.agentIds) {
      const known = this.#expect(agentId);
      if (known.session) group.agentConnected(agentId, groupIn(known.hello, group.fence));
    }
  }

  detach(group: Group): void {
    if (this.#groups.get(group.fence.runId) !== group) return;
    this.#groups.delete(group.fence.runId);
    this.#unlink(group);
    for (const [agentId, { session }] of this.#known) {
      if (!session && !this.#isAwaited(agentId)) this.#known.delete(agentId);
    }
  }

  /** Sends to an agent that is connected; what it misses otherwise is told it when it comes back. */
  send(agentId: string, fence: Fencing, message: ConnectResponse["message"]): void {
    const session = this.#known.get(agentId)?.session;
    if (session && mayHear(session, fence)) session.send(fence, message);
  }

  /** Ends an agent's stream: it connects again, and tells again what is not acknowledged. */
  reconnect(agentId: string, why: string): void {
    this.#known.get(agentId)?.session?.close(why);
  }

  /** Ends all streams: their agents look for whoever leads. */
  turnAway(why: string): void {
    for (const { session } of this.#known.values()) session?.close(why);
  }

  /** Tells an agent that nothing more will be asked of it. */
  dismiss(agentId: string): void {
    const epoch = this.#options.epoch();
    if (epoch === undefined) return;
    this.send(agentId, NO_RUN(epoch), { case: "goodbye", value: create(GoodbyeSchema) });
  }

  close(): void {
    clearInterval(this.#timer);
  }

  // --- AgentEvents ---

  connected(session: AgentSession): string | undefined {
    const { hello, runId } = session;
    const { agentId } = hello;
    const foreign = this.#groupsOn(agentId).find(({ fence }) => !mayHear(session, fence));
    if (foreign) {
      return `agent ${agentId} has ranks of run ${foreign.fence.runId}, and this certificate is for run ${runId} alone; give it another --agent-id`;
    }
    const before = this.#known.get(agentId);
    const isSecond = before?.session && before.hello?.incarnation !== hello.incarnation;
    if (isSecond && performance.now() - before.heardAtMs < SILENT_AFTER_MS) {
      const { host, pid } = before.hello ?? hello;
      return `agent ${agentId} is connected already, as process ${pid} on ${host}; give the second one another --agent-id`;
    }
    before?.session?.close("it has connected again");
    const known = this.#expect(agentId);
    // A new process of this name is not the one that was about to end.
    const isSame = known.hello?.incarnation === hello.incarnation;
    const leaving = isSame ? known.leaving : undefined;
    const heardAtMs = performance.now();
    const cameAtMs = isSame ? known.cameAtMs : heardAtMs;
    Object.assign(known, { hello, session, runId, leaving, heardAtMs, cameAtMs, probes: [] });
    // The welcome goes out first.
    setImmediate(() => {
      if (known.session !== session) return;
      this.#judge(agentId, known);
      this.#sort(session);
      this.#options.changed();
    });
    return undefined;
  }

  received(session: AgentSession, request: ConnectRequest): void {
    const { message, fence } = request;
    const { agentId } = session.hello;
    const known = this.#known.get(agentId);
    if (known?.session !== session) return;
    const epoch = this.#options.epoch();
    // What comes while nobody knows who leads is not taken, and so comes again.
    if (epoch === undefined) {
      session.close(this.#notLeading());
      return;
    }
    known.heardAtMs = performance.now();
    switch (message.case) {
      case "heartbeat":
        session.send(NO_RUN(epoch), {
          case: "heartbeat",
          value: create(HeartbeatReplySchema),
        });
        return;
      case "probed":
        this.#probed(agentId, message.value);
        return;
      case "leaving":
        known.leaving = printable(message.value.reason);
        this.#options.leaving?.(agentId, known.leaving);
        return;
    }
    if (fence && fence.coordinatorEpoch > epoch) {
      this.#options.overtaken();
      return;
    }
    const group = fence && this.#groups.get(fence.runId);
    const isOwn =
      group && this.#groupsByAgent.get(agentId)?.has(group) && mayHear(session, group.fence);
    if (!isOwn || group.fence.generation !== fence.generation) {
      this.#options.refusedStale(agentId, request);
      return;
    }
    group.received(agentId, message);
  }

  lost(session: AgentSession): void {
    const { agentId } = session.hello;
    const known = this.#known.get(agentId);
    if (known?.session !== session) return;
    known.session = undefined;
    if (!this.#isAwaited(agentId)) this.#known.delete(agentId);
    else this.#judge(agentId, known);
    this.#options.changed();
  }

  refusal(): string | undefined {
    return this.#options.epoch() === undefined ? this.#notLeading() : undefined;
  }

  // --- inside ---

  #notLeading(): string {
    return notLeading(this.#options.leader());
  }

  #expect(agentId: string): Known {
    const found = this.#known.get(agentId);
    if (found) return found;
    const known: Known = {
      ...{ hello: undefined, session: undefined, probes: [], askedAtMs: 0, verdict: PRESENT },
      ...{ runId: undefined, wasReached: false, leaving: undefined },
      ...{ asked: new Set(), heardAtMs: performance.now() },
      cameAtMs: performance.now(),
    };
    this.#known.set(agentId, known);
    return known;
  }

  #isAwaited(agentId: string): boolean {
    return this.#groupsByAgent.has(agentId);
  }

  #groupsOn(agentId: string): Group[] {
    return [...(this.#groupsByAgent.get(agentId) ?? [])];
  }

  #unlink(group: Group): void {
    for (const agentId of group.agentIds) {
      const groups = this.#groupsByAgent.get(agentId);
      groups?.delete(group);
      if (groups?.size === 0) this.#groupsByAgent.delete(agentId);
    }
  }

  /** Hands a new connection's groups to whom they belong, and ends those that are nobody's. */
  #sort({ hello, send }: AgentSession): void {
    const epoch = this.#options.epoch();
    if (epoch === undefined) return;
    for (const group of this.#groupsOn(hello.agentId)) {
      group.agentConnected(hello.agentId, groupIn(hello, group.fence));
    }
    for (const { fence } of hello.groups) {
      if (!fence) continue;
      const ours = this.#groups.get(fence.runId);
      if (ours?.fence.generation === fence.generation) continue;
      const stale = { ...fence, coordinatorEpoch: epoch };
      send(stale, { case: "kill", value: create(KillRanksSchema, { graceMs: 0n }) });
      // What its ranks did meanwhile it may still tell: it shows whether they were gone.
      setTimeout(() => {
        send(stale, { case: "goodbye", value: create(GoodbyeSchema) });
      }, LAST_WORDS_MS).unref();
    }
  }

  #tick(): void {
    const now = performance.now();
    // While nobody leads here no agent is heard, which says nothing of the agents.
    const isDeaf = this.#options.epoch() === undefined;
    const wasStopped = isDeaf || now - this.#tickedAtMs > STOPPED_MS + TICK_MS;
    this.#tickedAtMs = now;
    if (wasStopped) for (const known of this.#known.values()) known.heardAtMs = now;
    this.#questionsLeft = MAX_QUESTIONS;
    this.#pools = this.#poolsNow(now);
    for (const [agentId, known] of this.#known) this.#judge(agentId, known);
  }

  /** Agents that reach one another: those of one run that has its own, and all others. */
  #poolsNow(now: number): Map<string, Pool> {
    const pools = new Map<string, { heard: string[]; numKnown: number }>();
    for (const [agentId, known] of this.#known) {
      const name = this.#poolOf(agentId, known);
      const pool = pools.get(name) ?? { heard: [], numKnown: 0 };
      pools.set(name, pool);
      pool.numKnown += 1;
      if (known.session && now - known.heardAtMs < SILENT_AFTER_MS) pool.heard.push(agentId);
    }
    return pools;
  }

  /** Of one that was never here it is told by those that have ranks of the same run. */
  #poolOf(agentId: string, { hello, runId }: Known): string {
    if (hello) return runId ?? "";
    const [group] = this.#groupsByAgent.get(agentId) ?? [];
    const isOwn = group?.agentIds.some((one) => this.#known.get(one)?.runId === group.fence.runId);
    return group && isOwn ? group.fence.runId : "";
  }

  #judge(agentId: string, known: Known): void {
    const groups = this.#groupsOn(agentId);
    const now = performance.now();
    // One that was never here is still on its way.
    if (!known.hello && now - known.heardAtMs < HEALTH_OPTIONS.lostAfterMs) return;
    const { heard: peers, numKnown } = this.#pools.get(this.#poolOf(agentId, known)) ?? NOBODY;
    const verdict = judgeAgent(now, {
      ...{ agentId, connected: known.session !== undefined, heardAtMs: known.heardAtMs },
      probes: known.probes,
      wasReached: known.wasReached,
      wasHere: known.hello !== undefined,
      gone: this.#whyGone(agentId, known, now),
      progressAtMs: Math.max(0, ...groups.map(({ progressAtMs }) => progressAtMs)),
      numPeers: peers.length,
      numSilentPeers: Math.max(0, numKnown - 1 - peers.length),
    });
    const changed = verdict.verdict !== known.verdict.verdict;
    known.verdict = verdict;
    if (changed) {
      for (const group of groups) group.agentJudged(agentId, verdict);
      this.#options.changed();
    }
    if (verdict.verdict !== "present") {
      this.#ask(agentId, known, peers.slice(0, NUM_ASKED), PROBE_EVERY_MS);
    } else if (!known.wasReached) {
      // While it is well: later, that nobody reaches it says something.
      const peer = peers[Math.floor(Math.random() * peers.length)];
      if (peer !== agentId) this.#ask(agentId, known, peer ? [peer] : [], REACH_EVERY_MS);
    }
  }

  /** Asked only of those that are missed. */
  #whyGone(agentId: string, { heardAtMs, hello }: Known, now: number): string | undefined {
    const silentMs = now - heardAtMs;
    if (silentMs < SILENT_AFTER_MS) return undefined;
    return this.#options.whyGone?.({ agentId, wasHere: hello !== undefined, silentMs });
  }

  /** Has peers try to reach an agent, now and then. */
  #ask(agentId: string, known: Known, peers: readonly string[], everyMs: number): void {
    const { hello } = known;
    const epoch = this.#options.epoch();
    if (!hello || hello.probePort === 0 || epoch === undefined) return;
    const now = performance.now();
    if (now - known.askedAtMs < everyMs || this.#questionsLeft <= 0) return;
    known.askedAtMs = now;
    known.asked = new Set(peers);
    this.#questionsLeft -= 1;
    const { address, probePort: port } = hello;
    const timeoutMs = BigInt(PROBE_TIMEOUT_MS);
    const value = create(ProbeSchema, { agentId, address, port, timeoutMs });
    for (const peer of peers) {
      this.send(peer, NO_RUN(epoch), { case: "probe", value });
    }
  }

  #probed(by: string, { agentId, answered, connected }: ProbeResult): void {
    const known = this.#known.get(agentId);
    // What nobody asked for is not believed.
    if (!known?.asked.delete(by)) return;
    const sinceMs = known.heardAtMs;
    const kept = known.probes.filter(({ atMs }) => atMs >= sinceMs).slice(-2 * NUM_ASKED);
    known.probes = [...kept, { by, atMs: performance.now(), answered, connected }];
    known.wasReached ||= answered;
    this.#judge(agentId, known);
  }
}

function memberOf(
  agentId: string,
  { hello, runId, verdict, leaving, heardAtMs, cameAtMs }: Known,
  now: number,
): Member {
  const [silentMs, hereMs] = [now - heardAtMs, now - cameAtMs];
  return { agentId, hello, runId, verdict, leaving, silentMs, hereMs };
}

/** A message about no run. */
const NO_RUN = (coordinatorEpoch: bigint): Fencing => ({
  ...{ runId: "", generation: 0n, coordinatorEpoch },
});

/** Whether a message is about no run, or about one that the agent may have ranks of. */
function mayHear({ runId }: AgentSession, fence: Fencing): boolean {
  return runId === undefined || fence.runId === "" || fence.runId === runId;
}

function groupIn(hello: AgentHello | undefined, fence: Fencing): RankGroupState | undefined {
  return hello?.groups.find(
    (one) => one.fence?.runId === fence.runId && one.fence.generation === fence.generation,
  );
}
