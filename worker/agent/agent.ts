import { hostname, tmpdir } from "node:os";
import { create } from "@bufbuild/protobuf";
import {
  AgentHelloSchema,
  type Fence,
  HeartbeatSchema,
  type StartRanks,
} from "../../proto/gen/moestro/v1/agent_pb.js";
import { type CoordinatorMessage, CoordinatorStream } from "./coordinator-stream.ts";
import type { AgentOptions } from "./options.ts";
import { RankGroup } from "./rank-group.ts";

/** How long ranks have to end by themselves when their coordinator is gone. */
const ORPHAN_GRACE_MS = 1000;

/** One node's agent: starts, watches and ends the ranks the coordinator asks for. */
export class Agent {
  /** Settles with the process's exit code when the agent has nothing left to do. */
  readonly done: Promise<number>;
  readonly #options: AgentOptions;
  readonly #stream: CoordinatorStream;
  #group: RankGroup | undefined;
  #handled: Promise<void> = Promise.resolve();
  #starting: Promise<void> = Promise.resolve();
  #heartbeat: NodeJS.Timeout | undefined;
  #finish: (exitCode: number) => void = () => {};
  #leaving = false;

  constructor(options: AgentOptions) {
    this.#options = options;
    this.done = new Promise((resolve) => {
      this.#finish = resolve;
    });
    this.#stream = new CoordinatorStream(options, {
      // One after the other: what comes while ranks are being started waits for that.
      message: (message, fence) => {
        this.#handled = this.#handled.then(() => this.#handle(message, fence));
      },
      ended: (why) => void this.leave(`the coordinator is gone (${why})`),
    });
    this.#stream.send({
      case: "hello",
      value: create(AgentHelloSchema, {
        agentId: options.agentId,
        host: hostname(),
        pid: process.pid,
        numSlots: options.numSlots,
      }),
    });
  }

  /** Ends the ranks, says why on standard error, and is done. */
  async leave(why: string): Promise<void> {
    if (this.#leaving) return;
    this.#leaving = true;
    clearInterval(this.#heartbeat);
    await this.#starting;
    const ranks = this.#group?.ranks.length ?? 0;
    console.error(`moestro agent ${this.#options.agentId}: ${why}; ending ${ranks} ranks`);
    this.#group?.kill(ORPHAN_GRACE_MS);
    await this.#group?.ended;
    await this.#stream.close();
    this.#finish(1);
  }

  async #handle(message: CoordinatorMessage, fence: Fence): Promise<void> {
    switch (message.case) {
      case "welcome": {
        const every = Number(message.value.heartbeatIntervalMs);
        this.#heartbeat = setInterval(() => {
          this.#stream.send({ case: "heartbeat", value: create(HeartbeatSchema) });
        }, every);
        break;
      }
      case "start":
        this.#starting = this.#start(message.value, fence);
        await this.#starting;
        break;
      case "coefficients":
      case "stop":
        // Rank 0 hands these on to every rank with the loss reduction, so that
        // all act at the same step.
        this.#group?.send(message, 0);
        break;
      case "rendezvous":
        for (const rank of this.#group?.ranks ?? []) {
          if (rank !== 0) this.#group?.send(message, rank);
        }
        break;
      case "kill":
        this.#group?.kill(Number(message.value.graceMs));
        break;
      case "goodbye":
        await this.#goodbye();
        break;
      case undefined:
        break;
    }
  }

  async #start(start: StartRanks, fence: Fence): Promise<void> {
    try {
      this.#group = await RankGroup.start({
        runId: fence.runId,
        generation: fence.generation,
        start,
        python: this.#options.python,
        scratch: this.#options.ownCredentials ? this.#options.credentials : tmpdir(),
        send: (message) => this.#stream.send(message, fence),
      });
    } catch (error) {
      void this.leave(`cannot start ranks: ${(error as Error).message}`);
    }
  }

  async #goodbye(): Promise<void> {
    this.#leaving = true;
    clearInterval(this.#heartbeat);
    await this.#group?.ended;
    await this.#stream.close();
    this.#finish(0);
  }
}
