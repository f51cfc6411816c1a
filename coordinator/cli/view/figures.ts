import { RunState, type RunStatus } from "../../../proto/gen/moestro/v1/run_pb.js";
import {
  formatDuration,
  formatFixed,
  formatFlops,
  formatPercent,
  formatSmall,
  formatWhole,
} from "../../report/format.ts";
import type { MetricsRecord } from "../../report/records.ts";

const STATES: Record<RunState, string> = {
  [RunState.UNSPECIFIED]: "unknown",
  [RunState.STARTING]: "starting",
  [RunState.RUNNING]: "running",
  [RunState.STOPPING]: "stopping",
  [RunState.SUCCEEDED]: "succeeded",
  [RunState.STOPPED]: "stopped",
  [RunState.FAILED]: "failed",
  [RunState.QUEUED]: "queued",
  [RunState.RECOVERING]: "recovering",
  [RunState.SUSPENDING]: "suspending",
  [RunState.SUSPENDED]: "suspended",
};

export function stateName(status: RunStatus | undefined): string {
  return STATES[status?.state ?? RunState.STARTING];
}

export function isEnded(status: RunStatus | undefined): boolean {
  return ["succeeded", "stopped", "failed"].includes(stateName(status));
}

/** A figure by name, as both the live and the plain view show it. */
export type Figure = { name: string; value: string };

/** The figures of a run, the most important first. */
export function figures(status: RunStatus, metrics: MetricsRecord | undefined): Figure[] {
  const { minCoefficient: low, maxCoefficient: high } = status;
  const validation = status.validationLoss;
  return [
    { name: "loss", value: formatFixed(status.loss, 3) },
    ...(validation === undefined
      ? []
      : [{ name: "validation", value: formatFixed(validation, 3) }]),
    { name: "drop", value: formatPercent(status.dropRate) },
    {
      name: "α",
      value: low === high ? formatSmall(low) : `${formatSmall(low)}–${formatSmall(high)}`,
    },
    { name: "tokens/s", value: formatWhole(status.tokensPerSecond) },
    status.mfu === undefined
      ? { name: "model", value: `${formatFlops(status.modelFlopsPerSecond)}/s` }
      : { name: "MFU", value: formatPercent(status.mfu, 1) },
    ...(metrics === undefined
      ? []
      : [
          { name: "step", value: formatDuration(metrics.stepMs) },
          { name: "grad norm", value: formatFixed(metrics.gradNorm, 2) },
          { name: "lr", value: formatSmall(metrics.lr) },
        ]),
  ];
}
