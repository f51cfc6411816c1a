import type { RankExited } from "../../proto/gen/moestro/v1/agent_pb.js";
import type { Plan } from "../../proto/gen/moestro/v1/plan_pb.js";
import { memoryNote } from "./memory-failure.ts";

/** What is known of a generation, as facts. */
export type GenerationFacts = {
  plan: Plan;
  /** Ranks whose process has ended, in the order the news came. */
  exits: readonly RankExited[];
  /** Agents whose stream broke, and how. */
  lostAgents: readonly { agentId: string; why: string }[];
  /** A person asked the run to end without a checkpoint. */
  killRequested: boolean;
};

export type Decision = {
  decision: "continue" | "succeed" | "stop" | "fail";
  /** One sentence for a person. */
  reason: string;
  /** A retry with the same input would fail the same way. */
  userError: boolean;
};

/**
 * What becomes of a generation. Pure: the same facts give the same decision.
 * A run is only given up on positive evidence: a process that ended badly, or
 * an agent whose stream is broken.
 */
export function decide(facts: GenerationFacts): Decision {
  const { exits, plan } = facts;
  const { worldSize } = plan;
  if (facts.killRequested) return stop("stopped at once, as asked");
  const culprit = blame(exits);
  if (culprit) {
    const userError = culprit.failure?.userError ?? false;
    return {
      decision: "fail",
      reason: describeExit(culprit) + memoryNote(culprit, plan),
      userError,
    };
  }
  const [lost] = facts.lostAgents;
  if (lost && exits.length < worldSize) {
    return {
      decision: "fail",
      reason: `agent ${lost.agentId} is gone: ${lost.why}`,
      userError: false,
    };
  }
  if (exits.length < worldSize) {
    const running = worldSize - exits.length;
    return {
      decision: "continue",
      reason: `${running} of ${worldSize} ranks run`,
      userError: false,
    };
  }
  const lastStep = exits[0]?.finished?.lastStep ?? 0n;
  if (exits.some((exit) => exit.finished?.stoppedEarly)) {
    return stop(`stopped after step ${lastStep}, as asked`);
  }
  return { decision: "succeed", reason: `all ${lastStep} steps are done`, userError: false };
}

function stop(reason: string): Decision {
  return { decision: "stop", reason, userError: false };
}

/**
 * The exit that began it. When one rank dies, its peers fail with it within
 * milliseconds, and the news may come in any order: a signal, or a user's
 * mistake, explains more than a broken connection does.
 */
function blame(exits: readonly RankExited[]): RankExited | undefined {
  const bad = exits.filter((exit) => exit.exitCode !== 0 || !exit.finished);
  const strength = (exit: RankExited): number => {
    if (exit.signal !== "" && exit.signal !== "SIGTERM") return 3;
    if (exit.failure) return exit.failure.lostPeer ? 0 : 2;
    return 1;
  };
  return bad.reduce<RankExited | undefined>(
    (best, exit) => (best && strength(best) >= strength(exit) ? best : exit),
    undefined,
  );
}

function describeExit(exit: RankExited): string {
  if (exit.signal !== "") return `rank ${exit.rank} was ended by ${exit.signal}`;
  if (exit.failure?.userError) return exit.failure.message;
  const said = exit.failure?.message ?? exit.stderrTail.at(-1) ?? "it said nothing";
  return `rank ${exit.rank} ended with exit code ${exit.exitCode ?? "unknown"}: ${said}`;
}
