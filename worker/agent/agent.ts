import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import type { TlsMaterial } from "../../coordinator/rpc/client.ts";
import {
  AgentHelloSchema,
  type Fence,
  LeavingSchema,
  type Probe,
  ProbeResultSchema,
} from "../../proto/gen/moestro/v1/agent_pb.js";
import { CoordinatorConnection, NO_RUN } from "./coordinator-connection.ts";
import type { AgentMessage, CoordinatorMessage } from "./coordinator-stream.ts";
import { type Node, openNode } from "./node.ts";
import type { AgentOptions } from "./options.ts";
import { probe } from "./probe.ts";
import { RankGroups } from "./rank-groups.ts";
import { type RankHandle, threadsPerRank } from "./rank-process.ts";
import { RankServer } from "./rank-server.ts";
import { RankStory } from "./rank-story.ts";

const MOVE_AWAY_POLL_MS = 100;
/** How long ranks have to end by themselves after that. */
const LEAVE_GRACE_MS = 1000;

/**
 * One node's agent: starts, watches and ends the ranks that coordinators ask for, and
 * outlives them all. Ranks know nothing of its connection and go on without one.
 */
export class Agent {
  /** Settles with the process's exit code when the agent has nothing left to do. */
  readonly done: Promise<number>;
  readonly #options: AgentOptions;
  readonly #node: Node;
  readonly #connection: CoordinatorConnection;
  readonly #groups: RankGroups;
  #ranks: RankServer | undefined;
  /** By run, so that what is asked of it happens one after the other. */
  readonly #handled = new Map<string, Promise<void>>();
  #finish: (exitCode: number) => void = () => {};
  #leaving = false;
  /** Why its ranks are to go elsewhere; undefined while they may stay. */
  #movingAway: string | undefined;

  /** `startRank`: where measurements give something lighter than a process. */
  static async start(
    options: AgentOptions,
    tls: () => TlsMaterial,
    startRank?: (logPath: string) => RankHandle,
  ): Promise<Agent> {
    const node = await openNode(options);
    return new Agent(options, tls, node, startRank);
  }

  private constructor(
    options: AgentOptions,
    tls: () => TlsMaterial,
    node: Node,
    startRank?: (logPath: string) => RankHandle,
  ) {
    this.#options = options;
    this.#node = node;
    this.done = new Promise((resolve) => {
      this.#finish = resolve;
    });
    const numThreads = threadsPerRank(node.numSlots);
    const start = startRank ?? this.#serveRanks(numThreads);
    const story = options.printLogs ? new RankStory() : undefined;
    this.#groups = new RankGroups({
      group: ({ networkInterface }) => ({
        networkInterface: options.networkInterface || networkInterface,
        numThreads,
        takeProcess: (logPath) => {
          const one = start(logPath);
          void story?.follow(one, logPath);
          return one;
        },
      }),
      ...(story ? { stepped: (report) => story.step(report) } : {}),
      tell: (fence, message) => void this.#connection.send(message, fence),
      reported: () => this.#pump(),
      note: (line) => this.#note(line),
    });
    this.#connection = new CoordinatorConnection(
      { coordinators: options.coordinators, tls },
      {
        hello: () => this.#hello(),
        connected: () => {
          this.#sayLeaving();
          this.#groups.kept.rewind();
          this.#pump();
        },
        message: (message, fence) => this.#receive(message, fence),
        writable: () => this.#pump(),
        refused: (why) => this.#refused(why),
        note: (line) => this.#note(line),
      },
    );
    this.#connection.open();
  }

  /**
   * Has the coordinator move the ranks elsewhere, behind a checkpoint, and leaves then: at once
   * if there are none, nobody hears it, or it is asked again.
   */
  async leaveInOrder(why: string, exitCode = 1): Promise<void> {
    const isAlone = this.#groups.isEmpty || !this.#connection.isConnected;
    if (this.#movingAway !== undefined || isAlone) return this.leave(why, exitCode);
    this.#movingAway = why;
    this.#note(`${why}; asking for its ${this.#groups.numRunning} ranks to go elsewhere`);
    this.#sayLeaving();
    const deadline = performance.now() + this.#options.leaveMs;
    while (!this.#groups.isEmpty && !this.#leaving && performance.now() < deadline) {
      await sleep(MOVE_AWAY_POLL_MS);
    }
    await this.leave(why, exitCode);
  }

  /** Ends the ranks, says why on standard error, and is done. */
  async leave(why: string, exitCode = 1): Promise<void> {
    if (this.#leaving) return;
    this.#leaving = true;
    this.#note(`${why}; ending ${this.#groups.numRunning} ranks`);
    await this.#groups.end(LEAVE_GRACE_MS);
    await this.#close(exitCode);
  }

  #serveRanks(numThreads: number): (logPath: string) => RankHandle {
    const { python } = this.#options;
    const { links } = this.#node;
    const server = new RankServer({ python, links, numThreads, note: (line) => this.#note(line) });
    this.#ranks = server;
    return (logPath) => server.start(logPath);
  }

  #note(line: string): void {
    console.error(`moestro agent ${this.#options.agentId}: ${line}`);
  }

  #hello(): AgentMessage {
    const { agentId } = this.#options;
    const { incarnation, inventory, numSlots, address, probes } = this.#node;
    return {
      case: "hello",
      value: create(AgentHelloSchema, {
        ...{ agentId, host: hostname(), pid: process.pid, numSlots, incarnation, address },
        ...{ probePort: probes.port, inventory, groups: this.#groups.states() },
      }),
    };
  }

  /** Also to a coordinator that was not there when it was said. */
  #sayLeaving(): void {
    if (this.#movingAway === undefined) return;
    const value = create(LeavingSchema, { reason: this.#movingAway });
    this.#connection.send({ case: "leaving", value }, NO_RUN);
  }

  /** Sends what is kept and was not sent over this connection, as long as it takes it. */
  #pump(): void {
    if (!this.#connection.isConnected) return;
    for (let next = this.#groups.kept.next(); next; next = this.#groups.kept.next()) {
      if (!this.#connection.send(next.message, next.group)) return;
    }
  }

  #refused(why: string): boolean {
    if (!this.#groups.isEmpty) return true;
    void this.leave(`the coordinator will not have this agent: ${why}`);
    return false;
  }

  #receive(message: CoordinatorMessage, fence: Fence): void {
    if (this.#leaving) return;
    const { runId } = fence;
    if (message.case === "probe") void this.#probe(message.value);
    else if (runId !== "") this.#inTurn(runId, () => this.#handle(message, fence));
    else if (message.case === "goodbye" && this.#options.exitWithParent) {
      void this.leave("dismissed", 0);
    }
  }

  /** One after the other within a run: what comes while older ranks end waits for that. */
  #inTurn(runId: string, handle: () => Promise<void> | void): void {
    const handled = (this.#handled.get(runId) ?? Promise.resolve()).then(handle).catch((error) => {
      this.#note(`run ${runId}: ${(error as Error).message}`);
    });
    this.#handled.set(runId, handled);
    void handled.then(() => {
      if (this.#handled.get(runId) === handled) this.#handled.delete(runId);
    });
  }

  async #handle(message: CoordinatorMessage, fence: Fence): Promise<void> {
    if (message.case === "start") {
      await this.#groups.start(fence, message.value);
      return;
    }
    const group = this.#groups.find(fence);
    if (!group) return;
    switch (message.case) {
      case "coefficients":
      case "stop":
      case "save":
        // Rank 0 hands these on to every rank with the loss reduction, so that
        // all act at the same step.
        group.send(message, (rank) => rank === 0);
        break;
      case "rendezvous":
        group.send(message, (rank) => rank !== 0);
        break;
      case "kill":
        group.kill(Number(message.value.graceMs));
        break;
      case "acknowledged": {
        const { step, checkpointStep } = message.value;
        this.#groups.kept.acknowledge(group.fence, step, checkpointStep);
        break;
      }
      case "dumpStacks":
        // Not waited for: ranks may have to be ended meanwhile.
        void group.dumpStacks();
        break;
      case "goodbye":
        this.#groups.forget(fence);
        break;
    }
  }

  async #probe({ agentId, address, port, timeoutMs }: Probe): Promise<void> {
    const asked = probe(agentId, { host: address, port, timeoutMs: Number(timeoutMs) });
    // A port that is none, such as a coordinator should not send, throws.
    const none = ({ message: why }: Error) => ({ answered: false, connected: false, why });
    const value = create(ProbeResultSchema, { agentId, ...(await asked.catch(none)) });
    this.#connection.send({ case: "probed", value }, NO_RUN);
  }

  async #close(exitCode: number): Promise<void> {
    this.#ranks?.close();
    this.#node.probes.close();
    await this.#connection.close();
    this.#node.links.close();
    this.#finish(exitCode);
  }
}
