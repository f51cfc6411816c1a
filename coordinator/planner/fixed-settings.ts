import { type JobPath, joinAlternatives } from "../spec/problems.ts";
import type { Constraints } from "./search/constraints.ts";

/** A setting that is fixed, and what the constraints are without it. */
export interface FixedSetting {
  /** Where a job fixes it. */
  path: JobPath;
  value: string;
  without: Partial<Constraints>;
}

/** Sizes, micro-batch, chunks and schedule, as far as they are not left to the search. */
export function fixedSettings(constraints: Constraints): FixedSetting[] {
  const { fixed, microBatchSize, virtualPipeline, schedules } = constraints;
  const settings = Object.entries(fixed).flatMap(([name, value]): FixedSetting[] => {
    if (value === undefined) return [];
    const without = { fixed: { ...fixed, [name]: undefined } };
    return [{ path: ["layout", name], value: String(value), without }];
  });
  if (microBatchSize !== undefined) {
    settings.push({
      path: ["training", "microBatchSize"],
      value: String(microBatchSize),
      without: { microBatchSize: undefined },
    });
  }
  if (virtualPipeline !== undefined) {
    settings.push({
      path: ["layout", "virtualPipeline"],
      value: String(virtualPipeline),
      without: { virtualPipeline: undefined },
    });
  }
  if (!schedules.includes("1f1b")) {
    settings.push({
      path: ["layout", "schedule"],
      value: joinAlternatives(schedules),
      without: { schedules: [...schedules, "1f1b"] },
    });
  }
  return settings;
}
