import type { PlanProblem } from "../problem-of-job.ts";
import type { FittingChange } from "./fitting-change.ts";
import { fittingFreed } from "./free-one.ts";
import { fittingMemory } from "./more-memory.ts";
import { fittingNodes } from "./more-nodes.ts";
import { fittingSettings } from "./relief.ts";
import { Trials } from "./trials.ts";

export interface WhatWouldFit {
  changes: readonly FittingChange[];
  /** Questions asked, each answered by at most two searches. */
  numTried: number;
}

/**
 * What would make a problem fit that has no plan for want of memory: more
 * recompute, more sharding, more GPUs, larger GPUs, or freeing one thing that is
 * fixed, each tried by a search; what no search found is not in the answer.
 *
 * @param missingBytes what the closest plan misses on its fullest GPU; tells where to begin
 */
export function whatWouldFit(problem: PlanProblem, missingBytes: number): WhatWouldFit {
  const trials = new Trials();
  const settings = fittingSettings(trials, problem);
  const freed = fittingFreed(trials, problem);
  const nodes = fittingNodes(trials, problem, missingBytes, settings.length === 0);
  const memory = fittingMemory(trials, problem, missingBytes);
  return { changes: [...settings, ...freed, ...nodes, ...memory], numTried: trials.numTried };
}
