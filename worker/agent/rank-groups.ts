import { create } from "@bufbuild/protobuf";
import {
  type RankExited,
  RankExitedSchema,
  type StartRanks,
} from "../../proto/gen/moestro/v1/agent_pb.js";
import { RankFailedSchema } from "../../proto/gen/moestro/v1/rank_pb.js";
import type { StepReport } from "../../proto/gen/moestro/v1/report_pb.js";
import { boundTails } from "./bound-tails.ts";
import type { AgentMessage } from "./coordinator-stream.ts";
import type { GroupFence } from "./group-facts.ts";
import { KeptReports } from "./kept-reports.ts";
import { RankGroup, type RankGroupOptions } from "./rank-group.ts";

/** A group whose ranks have ended is kept so long for a coordinator that asks after it. */
const UNCLAIMED_MS = 60 * 60 * 1000;
/** Ranks of an older generation are killed; what they hold is free once they have ended. */
const MAKE_WAY_MS = 5000;

export type RankGroupsOptions = {
  group(
    start: StartRanks,
  ): Pick<RankGroupOptions, "networkInterface" | "numThreads" | "takeProcess">;
  /** Tells the coordinator at once, if it is there. */
  tell(fence: GroupFence, message: AgentMessage): void;
  /** Ranks have made a step; told for each, whether or not it is sent. */
  stepped?(report: StepReport): void;
  /** There is something to send among the kept reports. */
  reported(): void;
  /** One line for the log. */
  note(line: string): void;
};

/**
 * The runs that have ranks on this node, each in one generation. A later one of the same
 * run takes the place of an earlier one; an earlier one never comes back.
 */
export class RankGroups {
  readonly kept = new KeptReports<GroupFence>();
  readonly #options: RankGroupsOptions;
  readonly #groups = new Map<string, RankGroup>();
  /** The latest generation seen of each run. */
  readonly #latest = new Map<string, bigint>();
  /** Groups that gave way or are forgotten, until their processes have ended. */
  readonly #leaving = new Set<RankGroup>();
  /** When ranks ended, one after the other. */
  readonly #exitOrder = new WeakMap<RankExited, number>();
  #numExits = 0;

  constructor(options: RankGroupsOptions) {
    this.#options = options;
  }

  /** The group that a message is about, unless it is stale. */
  find({ runId, generation }: GroupFence): RankGroup | undefined {
    const group = this.#groups.get(runId);
    return group?.fence.generation === generation ? group : undefined;
  }

  get isEmpty(): boolean {
    return this.#groups.size === 0;
  }

  get numRunning(): number {
    return this.#all().reduce((sum, group) => sum + group.numRunning, 0);
  }

  states() {
    const states = [...this.#groups.values()].map((group) =>
      group.state(!this.kept.hasReports(group.fence)),
    );
    return boundTails(states, (exit) => this.#exitOrder.get(exit) ?? 0);
  }

  /** Starts ranks, unless they are here already or a later generation was; older ones end first. */
  async start({ runId, generation }: GroupFence, start: StartRanks): Promise<void> {
    const latest = this.#latest.get(runId) ?? 0n;
    if (this.find({ runId, generation })) return;
    if (generation <= latest) {
      const why = generation < latest ? `generation ${latest} was started here` : "it was here";
      this.#refuse({ runId, generation }, start, `${why} already`);
      return;
    }
    this.#latest.set(runId, generation);
    const older = this.#groups.get(runId);
    if (older) {
      this.#drop(older);
      await Promise.race([older.ended, delay(MAKE_WAY_MS)]);
      // A yet later one came meanwhile.
      if (this.#latest.get(runId) !== generation) return;
    }
    const fence = { runId, generation };
    const { tell, reported, stepped } = this.#options;
    const group: RankGroup = new RankGroup({
      ...{ fence, start, ...this.#options.group(start) },
      tell: (message) => tell(fence, message),
      report: (message) => {
        if (message.case === "step") stepped?.(message.value);
        if (message.case === "rankExited") this.#exitOrder.set(message.value, ++this.#numExits);
        // Of a group that is forgotten nobody wants to know; its exits are told all the same.
        if (this.#groups.get(runId) === group) {
          this.kept.add(fence, message);
          reported();
        } else if (message.case === "rankExited") tell(fence, message);
      },
    });
    this.#groups.set(runId, group);
    group.start();
    void group.ended.then(() => {
      setTimeout(() => this.#drop(group), UNCLAIMED_MS).unref();
    });
  }

  /** Says so: whoever asked waits for these ranks. */
  #refuse({ runId, generation }: GroupFence, { ranks }: StartRanks, why: string): void {
    this.#options.note(`run ${runId}: generation ${generation} is not started: ${why}`);
    const failure = create(RankFailedSchema, { message: `not started: ${why}` });
    for (const rank of ranks) {
      const value = create(RankExitedSchema, { rank, exitCode: 1, failure });
      this.#options.tell({ runId, generation }, { case: "rankExited", value });
    }
  }

  /** Ends what ranks are left of a group and forgets it. */
  forget(fence: GroupFence): void {
    const group = this.find(fence);
    if (group) this.#drop(group);
  }

  /** Ends all ranks; settles once they have ended and their ends were told. */
  async end(graceMs: number): Promise<void> {
    const groups = this.#all();
    for (const group of groups) group.kill(graceMs);
    await Promise.all(groups.map(({ ended }) => ended));
  }

  #all(): RankGroup[] {
    return [...this.#groups.values(), ...this.#leaving];
  }

  #drop(group: RankGroup): void {
    const { runId, generation } = group.fence;
    if (this.#groups.get(runId) !== group) return;
    this.#groups.delete(runId);
    // Until no message about it can be under way; then the run's id may be another's.
    setTimeout(() => {
      if (this.#latest.get(runId) === generation) this.#latest.delete(runId);
    }, UNCLAIMED_MS).unref();
    this.kept.forget(group.fence);
    this.#leaving.add(group);
    void group.ended.then(() => this.#leaving.delete(group));
    group.kill(0);
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
