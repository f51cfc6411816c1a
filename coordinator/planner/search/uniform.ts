import type { Workload } from "../cost/workload.ts";
import type { PlanChoice } from "../plan-document.ts";
import type { Constraints } from "./constraints.ts";
import { planChoice } from "./plan-choice.ts";
import { searchLayouts } from "./search-layouts.ts";
import type { Solved } from "./solve-candidate.ts";

/**
 * What one gets without unequal stages: the best layout, under the same schedules,
 * whose stages hold equally many decoder layers (or one more, where they do not
 * divide) and whose layers all recompute the same. Null when none fits.
 */
export function bestUniform(workload: Workload, constraints: Constraints): PlanChoice | null {
  let best: Solved | undefined;
  for (const kind of constraints.recompute) {
    const uniform: Constraints = {
      ...constraints,
      recompute: [kind],
      recomputePerLayer: undefined,
      layersPerStage: undefined,
      evenStages: true,
    };
    const found = searchLayouts(workload, uniform).best;
    if (found !== undefined && (best === undefined || found.stepTimeMs < best.stepTimeMs)) {
      best = found;
    }
  }
  return best === undefined ? null : planChoice(best);
}
