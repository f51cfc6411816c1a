import type { ScheduleName } from "../plan-document.ts";
import { busyBound, type PathBound } from "../schedule/path-bound.ts";
import { PathBounds } from "../schedule/path-bounds.ts";
import { arrangementBoundMs, pipelineBoundMs } from "./arrangement-bound.ts";
import type { Candidate } from "./candidate.ts";
import type { Constraints } from "./constraints.ts";
import type { ModelParts } from "./model-parts.ts";
import { leastCostsUnder } from "./scheduled-costs.ts";
import { is1F1B } from "./solve-stages.ts";

/** Lower bounds of one search's candidates under a schedule, whatever the split. */
export class CandidateBounds {
  readonly #constraints: Constraints;
  readonly #parts: ModelParts;
  readonly #paths = new PathBounds();

  constructor(constraints: Constraints, parts: ModelParts) {
    this.#constraints = constraints;
    this.#parts = parts;
  }

  /** Of the step. Infinite when none takes less than `limitMs`. */
  stepMs(candidate: Candidate, schedule: ScheduleName, limitMs: number): number {
    return this.#stepMs(candidate, schedule, limitMs, this.#path(candidate, schedule));
  }

  /** Of the step under any schedule that hides as much communication as this one. */
  anyStepMs(candidate: Candidate, schedule: ScheduleName, limitMs: number): number {
    const path = busyBound(candidate.placement.pipelineParallel);
    return this.#stepMs(candidate, schedule, limitMs, path);
  }

  /** Of the pipeline alone, whatever is to beat; undefined under 1F1B, whose solver has its own. */
  pipelineMs(candidate: Candidate, schedule: ScheduleName): number | undefined {
    const path = this.#path(candidate, schedule);
    if (path === undefined) return undefined;
    const { recompute, reserveBytes } = this.#constraints;
    const limits = { recompute, reserveBytes, limitMs: Number.POSITIVE_INFINITY };
    const bounds = leastCostsUnder(schedule, candidate).map((least) =>
      pipelineBoundMs(least, this.#parts, limits, path),
    );
    return Math.max(...bounds);
  }

  #stepMs(
    candidate: Candidate,
    schedule: ScheduleName,
    limitMs: number,
    path: PathBound | undefined,
  ): number {
    const { recompute, reserveBytes } = this.#constraints;
    const limits = { recompute, reserveBytes, limitMs };
    const bounds = leastCostsUnder(schedule, candidate).map((least) =>
      arrangementBoundMs(least, this.#parts, limits, path),
    );
    return Math.max(...bounds);
  }

  #path({ placement, numMicroBatches }: Candidate, schedule: ScheduleName): PathBound | undefined {
    const { pipelineParallel, virtualPipeline } = placement;
    if (is1F1B(schedule, pipelineParallel)) return undefined;
    const numParts = this.#parts.parts.length;
    return this.#paths.of(schedule, pipelineParallel, numMicroBatches, virtualPipeline, numParts);
  }
}
