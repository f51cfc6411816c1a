import type { ScheduleName } from "../plan-document.ts";
import type { Candidate, PartCost } from "./candidate.ts";

/**
 * Compute is this much slower where communication runs beside it: DualPipe gives 20
 * of 132 multiprocessors to it (DeepSeek-V3, arXiv 2412.19437, section 3.2.2).
 */
export const SLOWDOWN_BESIDE_COMMUNICATION = 132 / 112;

/** Whether a schedule runs communication of one pass behind the compute of another. */
export function hidesCommunication(schedule: ScheduleName): boolean {
  return schedule === "dualpipev";
}

/** The costs of a candidate under a schedule. */
export function costsUnder(schedule: ScheduleName, candidate: Candidate): Candidate {
  if (!hidesCommunication(schedule)) return candidate;
  return { ...candidate, classCosts: candidate.classCosts.map(slowed) };
}

function slowed(cost: PartCost): PartCost {
  const { forwardCommunicationMs, backwardCommunicationMs } = cost;
  // Without communication there is nothing to give multiprocessors to.
  if (forwardCommunicationMs === 0 && backwardCommunicationMs === 0) return cost;
  const compute = (ms: number) => SLOWDOWN_BESIDE_COMMUNICATION * ms;
  const { none, selective, full } = cost.recomputeMs;
  return {
    ...cost,
    forwardMs: compute(cost.forwardMs - forwardCommunicationMs) + forwardCommunicationMs,
    backwardMs: compute(cost.backwardMs - backwardCommunicationMs) + backwardCommunicationMs,
    weightGradMs: compute(cost.weightGradMs),
    recomputeMs: { none: compute(none), selective: compute(selective), full: compute(full) },
  };
}

/**
 * Costs that a candidate has at least under a schedule, each alone: where
 * communication hides, neither the compute nor the communication takes longer
 * than both.
 */
export function leastCostsUnder(schedule: ScheduleName, candidate: Candidate): Candidate[] {
  if (!hidesCommunication(schedule)) return [candidate];
  const { classCosts, ...rest } = costsUnder(schedule, candidate);
  return [computeOf, communicationOf].map((part) => ({
    ...rest,
    classCosts: classCosts.map(part),
  }));
}

function computeOf(cost: PartCost): PartCost {
  return {
    ...cost,
    forwardMs: cost.forwardMs - cost.forwardCommunicationMs,
    backwardMs: cost.backwardMs - cost.backwardCommunicationMs,
  };
}

function communicationOf(cost: PartCost): PartCost {
  return {
    ...cost,
    forwardMs: cost.forwardCommunicationMs,
    backwardMs: cost.backwardCommunicationMs,
    weightGradMs: 0,
    recomputeMs: { none: 0, selective: 0, full: 0 },
  };
}
