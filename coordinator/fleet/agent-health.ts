/** An agent is asked after by its peers once it has been silent this long. */
export const SILENT_AFTER_MS = 2000;

/** What came of a peer's question; `connected`: its machine took the connection at least. */
export type AgentProbe = { by: string; atMs: number; answered: boolean; connected: boolean };

/** What is known of an agent that should be connected; times are of one monotonic clock. */
export type AgentFacts = {
  agentId: string;
  /** Whether its stream is open. */
  connected: boolean;
  /** When something came of it last, or, of one that never came, when it was first expected. */
  heardAtMs: number;
  /** Answers of its peers since then, the newest last. */
  probes: readonly AgentProbe[];
  /** Whether a peer ever reached it: where none could, that none can says little. */
  wasReached: boolean;
  /** Whether it ever came to this coordinator, which knows no address to ask at otherwise. */
  wasHere: boolean;
  /** When a run with ranks there last made a step, as told by another agent. */
  progressAtMs: number;
  /** Why it will not come back, as somebody knows who watches its machine; undefined if nobody does. */
  gone: string | undefined;
  /** Agents that could be asked. */
  numPeers: number;
  /** Agents beside it that are silent too. */
  numSilentPeers: number;
};

export type HealthOptions = {
  /** No agent is lost sooner. */
  lostAfterMs: number;
  /** Nor sooner than this one that may only be stopped, or that no peer could reach before. */
  stoppedAfterMs: number;
};

export const HEALTH_OPTIONS: HealthOptions = { lostAfterMs: 3000, stoppedAfterMs: 90_000 };

export type AgentVerdict = {
  verdict: "present" | "silent" | "lost";
  /** One sentence. */
  reason: string;
};

/**
 * Whether an agent, and with it the ranks of its node, is there. Pure. It is lost only
 * on two independent signs: nothing comes of it here, and its peers do not reach it
 * either while the runs with ranks there stand still, or whoever runs its machine says
 * that it is gone. Ranks that go on are proof of
 * life, whatever has become of the agent's connection. A machine that takes connections
 * is not gone; its agent is stopped, and ranks that nobody else hears of may go on.
 */
export function judgeAgent(
  nowMs: number,
  facts: AgentFacts,
  options: HealthOptions = HEALTH_OPTIONS,
): AgentVerdict {
  const { agentId, connected, heardAtMs, progressAtMs, numPeers, numSilentPeers } = facts;
  const silentMs = nowMs - heardAtMs;
  if (connected && silentMs < SILENT_AFTER_MS) {
    return { verdict: "present", reason: `agent ${agentId} is connected` };
  }
  const how = connected ? "nothing is heard of it" : "its connection is gone";
  const seconds = `${(silentMs / 1000).toFixed(1)} s`;
  const since = `${how} for ${seconds}`;
  const silent = (why: string): AgentVerdict => ({
    verdict: "silent",
    reason: `agent ${agentId}: ${since}; ${why}`,
  });
  const probes = facts.probes.filter(({ atMs }) => atMs >= heardAtMs);
  const answer = probes.findLast(({ answered }) => answered);
  if (answer && nowMs - answer.atMs < options.lostAfterMs) {
    return silent(`agent ${answer.by} reaches it, so its ranks are left alone`);
  }
  if (nowMs - progressAtMs < options.lostAfterMs && progressAtMs > heardAtMs) {
    return silent("its ranks take part in steps, so they are left alone");
  }
  if (facts.gone !== undefined && silentMs >= options.lostAfterMs) {
    return { verdict: "lost", reason: `agent ${agentId} is lost: ${since}, and ${facts.gone}` };
  }
  if (numPeers === 0) {
    const alone = numSilentPeers === 0 ? "there is no other agent to ask" : "no agent is heard of";
    return silent(`${alone}, so the fault may be here, and its ranks are left alone`);
  }
  const refusals = probes.slice(probes.findLastIndex(({ answered }) => answered) + 1);
  if (silentMs < options.lostAfterMs) return silent("its peers are being asked");
  const [refusal] = refusals;
  if (!facts.wasHere && silentMs >= options.stoppedAfterMs) {
    const others = numPeers === 1 ? "another one has" : `${numPeers} others have`;
    const reason = `agent ${agentId} is lost: it has not come in ${seconds}, and ${others}`;
    return { verdict: "lost", reason };
  }
  if (!refusal) return silent("its peers have not answered yet");
  if (silentMs < options.stoppedAfterMs) {
    const left = `its ranks are left alone for ${options.stoppedAfterMs / 1000} s`;
    const isUp = refusals.findLast(({ connected }) => connected);
    if (isUp) return silent(`its machine answers agent ${isUp.by}, so it may be stopped: ${left}`);
    if (!facts.wasReached) return silent(`no other agent ever reached its probe port: ${left}`);
  }
  const others = new Set(refusals.map(({ by }) => by)).size;
  const by = others === 1 ? `agent ${refusal.by}` : `${others} other agents`;
  return {
    verdict: "lost",
    reason: `agent ${agentId} is lost: ${since}, and ${by} cannot reach it either`,
  };
}
