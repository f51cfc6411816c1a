import type { RankExited } from "../../proto/gen/moestro/v1/agent_pb.js";
import type { Plan } from "../../proto/gen/moestro/v1/plan_pb.js";
import { type Decision, decide, type GenerationFacts } from "./policy.ts";

/** Peers of a dead rank fail within this time; waiting for them shows who was first. */
const BLAME_WINDOW_MS = 300;

/**
 * Gathers what is known of a generation until it is clear what became of it:
 * the shell around `decide`, which waits for the news that explain a failure
 * and for the end of every rank.
 */
export class Verdict {
  /** Settles once every rank has ended; rejects if the coordinator itself failed. */
  readonly outcome: Promise<Decision>;
  readonly #plan: Plan;
  readonly #giveUp: (reason: string) => void;
  readonly #placed = new Map<string, readonly number[]>();
  readonly #exits: RankExited[] = [];
  readonly #lost: { agentId: string; why: string }[] = [];
  #killRequested = false;
  #blaming: NodeJS.Timeout | undefined;
  /** Fixed before ranks are ended: what follows from that must not be blamed. */
  #fixed: Decision | undefined;
  #resolve: (decision: Decision) => void = () => {};
  #reject: (error: Error) => void = () => {};

  /** `giveUp` is called, once, when the run has failed and its ranks are to be ended. */
  constructor(plan: Plan, giveUp: (reason: string) => void) {
    this.#plan = plan;
    this.#giveUp = giveUp;
    this.outcome = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Whether something has happened that forbids starting ranks. */
  get forbidsStart(): boolean {
    return this.#killRequested || this.#lost.length > 0;
  }

  placed(agentId: string, ranks: readonly number[]): void {
    this.#placed.set(agentId, ranks);
  }

  rankExited(exit: RankExited): void {
    this.#exits.push(exit);
    this.#judge();
  }

  agentLost(agentId: string, why: string): void {
    this.#lost.push({ agentId, why });
    this.#judge();
  }

  killRequested(): void {
    this.#killRequested = true;
    this.#judge();
  }

  /** A failure of the coordinator itself, such as a full disk, decides everything. */
  coordinatorFailed(error: Error): void {
    clearTimeout(this.#blaming);
    this.#reject(error);
  }

  #judge(): void {
    const facts: GenerationFacts = {
      plan: this.#plan,
      exits: this.#exits,
      lostAgents: this.#lost,
      killRequested: this.#killRequested,
    };
    const decision = decide(facts);
    if (decision.decision === "continue") return;
    if (this.#nothingMoreComes()) {
      clearTimeout(this.#blaming);
      this.#resolve(this.#fixed ?? decision);
      return;
    }
    if (decision.decision !== "fail" || this.#blaming) return;
    this.#blaming = setTimeout(() => {
      this.#fixed = decide(facts);
      this.#giveUp(this.#fixed.reason);
    }, BLAME_WINDOW_MS);
  }

  /** Whether every rank has ended, or was an agent's that is gone and cannot tell. */
  #nothingMoreComes(): boolean {
    if (this.#placed.size === 0) return true;
    const silent = new Set(this.#lost.flatMap(({ agentId }) => this.#placed.get(agentId) ?? []));
    const told = this.#exits.filter(({ rank }) => !silent.has(rank));
    return told.length + silent.size >= this.#plan.worldSize;
  }
}
