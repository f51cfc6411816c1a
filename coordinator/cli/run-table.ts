import type { RunStatus } from "../../proto/gen/moestro/v1/run_pb.js";
import { formatDuration, formatFixed } from "../report/format.ts";
import { stateName } from "./view/figures.ts";

export const RUN_HEADING = [
  "run",
  "state",
  "step",
  "loss",
  "ranks",
  "priority",
  "owner",
  "age",
  "why",
];

/** A run's row of `moestro list`; `nowMs` is the time it is read at. */
export function runRow(run: RunStatus, nowMs: number): string[] {
  return [
    run.runId,
    stateName(run),
    `${run.step}/${run.totalSteps}`,
    // Before the first step there is none.
    run.step > 0n ? formatFixed(run.loss, 4) : "–",
    rankRange(run),
    `${run.priority}`,
    run.owner || "–",
    formatAge(run.submittedAtMs, nowMs),
    run.reason,
  ];
}

/** "8 of 4–16": the ranks a run has, and may have. */
export function rankRange({ numRanks, minRanks, maxRanks }: RunStatus): string {
  const range = minRanks === maxRanks ? `${maxRanks}` : `${minRanks}–${maxRanks}`;
  return `${numRanks} of ${range}`;
}

/** How long ago something was; clocks of two machines may differ a little. */
export function formatAge(atMs: bigint, nowMs: number): string {
  return atMs > 0n ? formatDuration(Math.max(0, nowMs - Number(atMs))) : "–";
}
