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
  readonly #exits = new Map<number, RankExited>();
  readonly #lost = new Map<string, string>();
  /** Agents that nothing is heard of just now. */
  readonly #away = new Set<string>();
  #numPlaced = 0;
  #hung: string | undefined;
  #evidenceAtMs = 0;
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
    return this.#killRequested || this.#lost.size > 0;
  }

  get isAnyAway(): boolean {
    return this.#away.size > 0;
  }

  /** The agent was told to start these ranks, or has them. */
  placed(agentId: string, ranks: readonly number[]): void {
    this.#numPlaced += ranks.length - (this.#placed.get(agentId)?.length ?? 0);
    this.#placed.set(agentId, ranks);
  }

  rankExited(exit: RankExited): void {
    this.#exits.set(exit.rank, exit);
    this.#judge();
  }

  /** The agent and its ranks are gone; `why` is one sentence. */
  agentLost(agentId: string, why: string): void {
    if (!this.#lost.has(agentId)) this.#lost.set(agentId, why);
    this.#judge();
  }

  agentAway(agentId: string): void {
    this.#away.add(agentId);
    this.#judge();
  }

  agentBack(agentId: string): void {
    this.#away.delete(agentId);
  }

  /** The ranks live and make no step. */
  hung(why: string): void {
    this.#hung = why;
    this.#judge();
  }

  /** When the first sign of a failure, or of the end, was seen; 0 before it. */
  get evidenceAtMs(): number {
    return this.#evidenceAtMs;
  }

  /** No more is decided. */
  close(): void {
    clearTimeout(this.#blaming);
  }

  killRequested(): void {
    this.#killRequested = true;
    this.#judge();
  }

  /** A failure of the coordinator itself decides everything. */
  coordinatorFailed(error: Error): void {
    clearTimeout(this.#blaming);
    this.#reject(error);
  }

  get #facts(): GenerationFacts {
    return {
      plan: this.#plan,
      exits: [...this.#exits.values()],
      lostAgents: [...this.#lost].map(([agentId, why]) => ({ agentId, why })),
      agentsAway: [...this.#away],
      hung: this.#hung,
      killRequested: this.#killRequested,
    };
  }

  #judge(): void {
    // What is fixed stays, and until all have ended there is nothing more to say.
    if (this.#fixed && !this.#nothingMoreComes()) return;
    const decision = decide(this.#facts);
    if (decision.decision === "continue") return;
    if (this.#evidenceAtMs === 0) this.#evidenceAtMs = performance.now();
    if (this.#nothingMoreComes()) {
      clearTimeout(this.#blaming);
      this.#resolve(this.#fixed ?? decision);
      return;
    }
    if (decision.decision !== "fail" || this.#blaming) return;
    this.#blaming = setTimeout(() => {
      this.#fixed = decide(this.#facts);
      this.#giveUp(this.#fixed.reason);
      this.#judge();
    }, BLAME_WINDOW_MS);
  }

  /**
   * Whether every rank that was started has ended, or was an agent's that is gone and
   * cannot tell. Once the ranks are being ended, one that is merely away is not waited
   * for: it ends what it has of the generation when it is back.
   */
  #nothingMoreComes(): boolean {
    const isEachOneNeeded = this.#lost.size === 0 && this.#away.size === 0;
    if (isEachOneNeeded && this.#exits.size < this.#numPlaced) return false;
    const isEnding = this.#fixed !== undefined || this.#killRequested;
    const cannotTell = (agentId: string) =>
      this.#lost.has(agentId) || (isEnding && this.#away.has(agentId));
    return [...this.#placed].every(
      ([agentId, ranks]) => cannotTell(agentId) || ranks.every((rank) => this.#exits.has(rank)),
    );
  }
}
