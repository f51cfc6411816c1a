import type { RankExited } from "../../proto/gen/moestro/v1/agent_pb.js";
import type { Plan } from "../../proto/gen/moestro/v1/plan_pb.js";
import { memoryNote } from "./memory-failure.ts";

/** What is known of a generation, as facts. */
export type GenerationFacts = {
  plan: Plan;
  /** Ranks whose process has ended, in the order the news came. */
  exits: readonly RankExited[];
  /** Agents that are gone with their ranks, and how that is known. */
  lostAgents: readonly { agentId: string; why: string }[];
  /** Agents that nothing is heard of, which alone says nothing of their ranks. */
  agentsAway: readonly string[];
  /** Why the ranks are taken to hang; undefined if they are not. */
  hung: string | undefined;
  /** A person asked the run to end without a checkpoint. */
  killRequested: boolean;
};

/** What a failure comes from: it decides what would help against it. */
export type FailureCause =
  /** What the user gave; a retry would fail the same way. */
  | "user"
  /** A rank's process. */
  | "rank"
  /** A node or its agent. */
  | "agent"
  | "hang";

export type Decision = {
  decision: "continue" | "succeed" | "stop" | "fail";
  /** One sentence for a person. */
  reason: string;
  /** Of a failure. */
  cause?: FailureCause;
};

/**
 * What becomes of a generation. Pure: the same facts give the same decision.
 * A run is only given up on positive evidence: a process that ended badly, an agent
 * that is lost, or ranks that stand still beyond all they ever took.
 */
export function decide(facts: GenerationFacts): Decision {
  const { exits, plan } = facts;
  const { worldSize } = plan;
  if (facts.killRequested) return { decision: "stop", reason: "stopped at once, as asked" };
  const culprit = blame(exits);
  const gone = whoIsGone(facts, culprit);
  if (gone !== undefined) return { decision: "fail", reason: gone, cause: "agent" };
  if (culprit) {
    const cause = culprit.failure?.userError ? "user" : "rank";
    return { decision: "fail", reason: describeExit(culprit) + memoryNote(culprit, plan), cause };
  }
  if (facts.hung !== undefined) return { decision: "fail", reason: facts.hung, cause: "hang" };
  if (exits.length < worldSize) {
    const running = worldSize - exits.length;
    return { decision: "continue", reason: `${running} of ${worldSize} ranks run` };
  }
  const lastStep = exits[0]?.finished?.lastStep ?? 0n;
  return exits.some((exit) => exit.finished?.stoppedEarly)
    ? { decision: "stop", reason: `stopped after step ${lastStep}, as asked` }
    : { decision: "succeed", reason: `all ${lastStep} steps are done` };
}

/**
 * Why the failure is an agent's: it is lost, or nothing is heard of it while the peers
 * of its ranks lost their connections. A rank with a cause of its own explains more.
 */
function whoIsGone(facts: GenerationFacts, culprit: RankExited | undefined): string | undefined {
  const { exits, lostAgents, agentsAway, plan } = facts;
  if (culprit && strength(culprit) > NO_CAUSE) return undefined;
  const [lost] = lostAgents;
  if (lost && (culprit || exits.length < plan.worldSize)) return lost.why;
  const [away] = agentsAway;
  if (!culprit || away === undefined) return undefined;
  return `agent ${away} is gone: nothing is heard of it, and ranks of other nodes lost their connections`;
}

/**
 * The exit that began it. When one rank dies, its peers fail with it within
 * milliseconds, and the news may come in any order: a signal, or a user's
 * mistake, explains more than a broken connection does.
 */
function blame(exits: readonly RankExited[]): RankExited | undefined {
  const bad = exits.filter((exit) => exit.exitCode !== 0 || !exit.finished);
  return bad.reduce<RankExited | undefined>(
    (best, exit) => (best && strength(best) >= strength(exit) ? best : exit),
    undefined,
  );
}

/** As much as it explains that somebody ended a rank in order, an agent that leaves for one. */
const NO_CAUSE = 1;

/** How much an exit explains. */
function strength(exit: RankExited): number {
  if (exit.signal === "SIGTERM") return NO_CAUSE;
  if (exit.signal !== "") return 4;
  if (exit.failure) return exit.failure.lostPeer ? 0 : 3;
  return 2;
}

function describeExit(exit: RankExited): string {
  if (exit.signal !== "") return `rank ${exit.rank} was ended by ${exit.signal}`;
  if (exit.failure?.userError) return exit.failure.message;
  const said = exit.failure?.message ?? exit.stderrTail.at(-1) ?? "it said nothing";
  const code = exit.exitCode === undefined ? "" : ` with exit code ${exit.exitCode}`;
  return `rank ${exit.rank} ended${code}: ${said}`;
}
