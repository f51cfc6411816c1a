import { joinAlternatives } from "../../spec/problems.ts";
import { SCHEDULE_NAMES } from "../../spec/sections/layout.ts";
import { RECOMPUTE_KINDS } from "../cost/workload.ts";
import { formatSplit } from "../partition/pipeline.ts";
import type { Constraints } from "../search/constraints.ts";

/** Everything that a job leaves no choice of, or less than all, by name and in words. */
export function fixedValues(constraints: Constraints): Record<string, string> {
  const { fixed, layersPerStage, recompute, recomputePerLayer, schedules } = constraints;
  const { microBatchSize, virtualPipeline } = constraints;
  const byLayer = (recomputePerLayer ?? []).filter((kind) => kind !== undefined).length;
  const values: Record<string, string | number | undefined> = {
    ...fixed,
    microBatchSize,
    virtualPipeline,
    schedule: schedules.length < SCHEDULE_NAMES.length ? joinAlternatives(schedules) : undefined,
    stages: layersPerStage === undefined ? undefined : formatSplit(layersPerStage),
    recompute:
      byLayer > 0
        ? `of ${byLayer} layers`
        : recompute.length < RECOMPUTE_KINDS.length
          ? joinAlternatives(recompute)
          : undefined,
  };
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)]],
    ),
  );
}
