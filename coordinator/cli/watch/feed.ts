import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import type { ServiceError } from "@grpc/grpc-js";
import { ListRunsRequestSchema, RunService } from "../../../proto/gen/moestro/v1/run_pb.js";
import { grpcMethods } from "../../../proto/grpc.ts";
import type { Coordinators } from "../../rpc/call-leader.ts";
import { requestUnary } from "../../rpc/call-unary.ts";
import {
  ANSWER_MS,
  askAgents,
  type FoundCoordinator,
  failureOf,
  findLeader,
  isPassing,
} from "./find-leader.ts";
import { followRun } from "./run-streams.ts";
import type { Update } from "./watch-state.ts";

const { listRuns } = grpcMethods(RunService);

/** Between two looks at runs and agents, and between two attempts to connect. */
const EVERY_MS = 1000;
/** Time between two looks, at least so many times what a look takes. */
const IDLE_SHARE = 4;
/** How long one that stands by is looked at before the leader is looked for again. */
const SEEK_AFTER_MS = 5000;

export type FeedOptions = {
  /** The coordinators, looked up anew for every attempt. Throws MoestroError. */
  coordinators(): Promise<Coordinators>;
  update(update: Update): void;
};

/** What the coordinators tell, across their deaths and changes of the leader. */
export class Feed {
  readonly #options: FeedOptions;
  readonly #abort = new AbortController();
  #runId: string | undefined;
  #session: { found: FoundCoordinator; lost(error: ServiceError): void } | undefined;
  #unfollow = () => {};
  #awaySinceMs: number | undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** Which run is followed from now on, if any. */
  follow(runId: string | undefined): void {
    if (runId === this.#runId) return;
    this.#runId = runId;
    this.#refollow();
  }

  stop(): void {
    this.#abort.abort();
    this.#unfollow();
    this.#session?.found.client.close();
  }

  /** Tells updates until it is stopped. Throws MoestroError where trying again is of no use. */
  async run(): Promise<void> {
    const { coordinators, update } = this.#options;
    const { signal } = this.#abort;
    // Where nobody knows of any coordinator, there is nothing to wait for.
    let known = await coordinators();
    while (!signal.aborted) {
      try {
        const found = await findLeader(known, signal);
        if (signal.aborted) found.client.close();
        else await this.#watch(found);
      } catch (error) {
        if (signal.aborted) return;
        if (!isPassing(error)) throw error;
        this.#awaySinceMs ??= performance.now();
        update({
          kind: "link",
          link: { phase: "away", why: error.message, sinceMs: this.#awaySinceMs },
        });
        await sleep(EVERY_MS, undefined, { signal }).catch(() => {});
      }
      // They may have moved, or their certificates been renewed.
      known = await coordinators().catch(() => known);
    }
  }

  /** Looks at one coordinator as long as it answers, or until it may be another that leads. */
  async #watch(found: FoundCoordinator): Promise<void> {
    const { address, client } = found;
    const { update } = this.#options;
    const { signal } = this.#abort;
    const broken = Promise.withResolvers<never>();
    // Whoever waits for it hears of it; until then it is not an orphan.
    broken.promise.catch(() => {});
    this.#session = { found, lost: broken.reject };
    const startedAtMs = performance.now();
    this.#refollow();
    try {
      for (let led = false; !signal.aborted; ) {
        const askedAtMs = performance.now();
        const request = create(ListRunsRequestSchema);
        const { runs } = await requestUnary(client, listRuns, request, ANSWER_MS);
        this.#awaySinceMs = undefined;
        update({ kind: "link", link: { phase: "connected", address } });
        update({ kind: "runs", runs });
        const answer = await askAgents(client);
        if ("agents" in answer) {
          led = true;
          update({ kind: "agents", agents: answer.agents });
        } else {
          const problem = `${address} is ${answer.notLeading}`;
          update({ kind: "agents", agents: [], problem });
          if (led || performance.now() - startedAtMs > SEEK_AFTER_MS) return;
        }
        // A coordinator with very many runs is not kept busy by being looked at.
        const waitMs = Math.max(EVERY_MS, IDLE_SHARE * (performance.now() - askedAtMs));
        await Promise.race([sleep(waitMs, undefined, { signal }), broken.promise]);
      }
    } catch (error) {
      if (signal.aborted) return;
      throw failureOf(address, error as ServiceError);
    } finally {
      this.#session = undefined;
      this.#unfollow();
      client.close();
    }
  }

  #refollow(): void {
    this.#unfollow();
    this.#unfollow = () => {};
    if (this.#runId === undefined || !this.#session) return;
    const { found, lost } = this.#session;
    const { update } = this.#options;
    this.#unfollow = followRun({ client: found.client, runId: this.#runId, update, lost });
  }
}
