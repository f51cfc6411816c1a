import { AgentState, type AgentStatus } from "../../../proto/gen/moestro/v1/fleet_pb.js";
import type { RankStatus, RunStatus } from "../../../proto/gen/moestro/v1/run_pb.js";
import { type Line, type Style, span } from "../view/line.ts";
import { sanitize } from "../view/text.ts";

const STATES: Record<AgentState, { name: string; style: Style }> = {
  [AgentState.UNSPECIFIED]: { name: "unknown", style: "dim" },
  [AgentState.CONNECTED]: { name: "connected", style: "green" },
  [AgentState.SILENT]: { name: "silent", style: "yellow" },
  [AgentState.LOST]: { name: "lost", style: "magenta" },
};

const STATE_WIDTH = 11;

/** A heading, then at most `rows - 1` lines: an agent's state and its ranks of the run. */
export function agentRows(
  status: RunStatus,
  agents: readonly AgentStatus[],
  rows: number,
  columns: number,
): Line[] {
  const byAgent = [...ranksByAgent(status.ranks)];
  if (byAgent.length === 0 || rows < 2) return [];
  const width = Math.max(5, ...byAgent.map(([agentId]) => sanitize(agentId).length)) + 2;
  const heading = `${"agent".padEnd(width)}${"state".padEnd(STATE_WIDTH)}rank pid`;
  const lines = byAgent.map(([agentId, ranks]): Line => {
    const agent = agents.find((one) => one.agentId === agentId);
    const { name, style } = STATES[agent?.state ?? AgentState.UNSPECIFIED];
    const why = agent?.drained ? "  drained" : "";
    const own = rankList(ranks, columns - width - STATE_WIDTH - why.length);
    return [
      span(sanitize(agentId).padEnd(width)),
      span(name.padEnd(STATE_WIDTH), style),
      span(own),
      span(why, "yellow"),
    ];
  });
  const shown = lines.length < rows ? lines : lines.slice(0, rows - 2);
  const hidden = lines.length - shown.length;
  return [
    [span(heading, "dim")],
    ...shown,
    ...(hidden > 0 ? [[span(`and ${hidden} more`, "dim")]] : []),
  ];
}

/** `0 4180  1 4181`, and `0–7` where there is no room for the process ids. */
function rankList(ranks: readonly RankStatus[], columns: number): string {
  const all = ranks.map(({ rank, pid }) => `${rank} ${pid}`).join("  ");
  if (all.length <= columns) return all;
  const numbers = ranks.map(({ rank }) => rank);
  const [first = 0, last = 0] = [numbers.at(0), numbers.at(-1)];
  return last - first === numbers.length - 1 ? `${first}–${last}` : numbers.join(" ");
}

/** Agents with ranks of the run, by their first rank. */
export function ranksByAgent(ranks: readonly RankStatus[]): Map<string, RankStatus[]> {
  const sorted = ranks.toSorted((a, b) => a.rank - b.rank);
  return Map.groupBy(sorted, ({ agentId }) => agentId);
}

/** How many agents are in each state, and slots in use: `2 connected, 1 lost  6/8 slots`. */
export function agentCounts(agents: readonly AgentStatus[]): Line {
  const parts = Object.entries(STATES).flatMap(([state, { name, style }]) => {
    const count = agents.filter((agent) => agent.state === Number(state)).length;
    return count === 0 ? [] : [span(`${count} ${name}  `, style)];
  });
  const sum = (slots: (agent: AgentStatus) => number) =>
    agents.reduce((total, agent) => total + slots(agent), 0);
  const used = sum((agent) => agent.numUsedSlots);
  const slots = sum((agent) => agent.numSlots);
  return [span("agents  ", "dim"), ...parts, span(`${used}/${slots}`), span(" slots used", "dim")];
}
