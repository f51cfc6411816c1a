import type { RunStatus } from "../../proto/gen/moestro/v1/run_pb.js";
import { formatBytes, formatDuration, formatPercent } from "../report/format.ts";
import { formatAge, rankRange } from "./run-table.ts";
import { figures, stateName } from "./view/figures.ts";
import { sanitize } from "./view/text.ts";

/** A run on one line, as it is shown again and again by `--watch`. */
export function runLine(run: RunStatus): string {
  const parts = [
    `step ${run.step}/${run.totalSteps}`,
    ...(run.step > 0n ? figures(run, undefined).map(({ name, value }) => `${name} ${value}`) : []),
    ...etaOf(run),
    `checkpoint ${run.checkpointStep}`,
  ];
  return sanitize(`${run.runId}: ${stateName(run)} (${run.reason}): ${parts.join(", ")}`);
}

/** A run with all that a person asks of it; `nowMs` is the time it is read at. */
export function runText(run: RunStatus, nowMs: number): string[] {
  const rows: [name: string, value: string][] = [
    ["step", [`${run.step} of ${run.totalSteps}`, ...etaOf(run)].join(", ")],
    ...figureRows(run),
    ["layout", run.layout || "none yet"],
    ["ranks", [rankRange(run), ...placesOf(run)].join(", ")],
    ["generation", `${run.generation}`],
    ["restarts", restartsOf(run)],
    ["goodput", run.step > 0n ? formatPercent(run.goodput, 1) : "–"],
    ["checkpoint", run.checkpointStep > 0n ? `of step ${run.checkpointStep}` : "none yet"],
    ["submitted", submittedOf(run, nowMs)],
    ...stageRows(run),
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return [
    sanitize(`${run.runId}: ${stateName(run)}: ${run.reason}`),
    ...rows.map(([name, value]) => `  ${name.padEnd(width)}  ${sanitize(value)}`),
  ];
}

function figureRows(run: RunStatus): [string, string][] {
  if (run.step === 0n) return [];
  return figures(run, undefined).map(({ name, value }) => [name, value]);
}

function etaOf(run: RunStatus): string[] {
  return run.etaMs > 0n && run.numRanks > 0 ? [`ETA ${formatDuration(Number(run.etaMs))}`] : [];
}

/** "0–3 on node-a, 4–7 on node-b": ranks in a row are told together. */
function placesOf({ ranks, numRanks }: RunStatus): string[] {
  // Those of a run that holds no slots are the last it had.
  if (numRanks === 0) return [];
  const groups: { agentId: string; first: number; last: number }[] = [];
  for (const { rank, agentId } of [...ranks].sort((a, b) => a.rank - b.rank)) {
    const group = groups.at(-1);
    if (group?.agentId === agentId && group.last === rank - 1) group.last = rank;
    else groups.push({ agentId, first: rank, last: rank });
  }
  return groups.map(({ agentId, first, last }) =>
    first === last ? `${first} on ${agentId}` : `${first}–${last} on ${agentId}`,
  );
}

function restartsOf({ restarts, countedRestarts, maxRestarts, stepsLost }: RunStatus): string {
  const lost = stepsLost > 0n ? `, ${stepsLost} steps trained again` : "";
  return `${restarts}, of which ${countedRestarts} of at most ${maxRestarts} count${lost}`;
}

function submittedOf(run: RunStatus, nowMs: number): string {
  const by = run.owner ? ` by ${run.owner}` : "";
  return `${formatAge(run.submittedAtMs, nowMs)} ago${by}, priority ${run.priority}`;
}

function stageRows({ stages }: RunStatus): [string, string][] {
  return stages.map(({ stage, numLayers, computeMs, communicationMs, peakMemoryBytes }) => [
    `stage ${stage}`,
    [
      `${numLayers} ${numLayers === 1 ? "layer" : "layers"}`,
      `compute ${formatDuration(computeMs)}`,
      `communication ${formatDuration(communicationMs)}`,
      `peak ${formatBytes(Number(peakMemoryBytes))}`,
    ].join(", "),
  ]);
}
