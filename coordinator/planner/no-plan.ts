import { MoestroError } from "../errors.ts";
import { joinAlternatives } from "../spec/problems.ts";
import type { FittingChange } from "./fitting/fitting-change.ts";
import { whatWouldFit } from "./fitting/what-would-fit.ts";
import type { PlanProblem } from "./problem-of-job.ts";
import type { Constraints } from "./search/constraints.ts";

/**
 * Why nothing was found and what would be, in one line.
 *
 * @param where what the line begins with: the file, or the option that fixed the layout
 */
export function noPlanError(
  problem: PlanProblem,
  closest: { missingBytes: number; sizes: string } | undefined,
  where: string,
): MoestroError {
  const { constraints, workload } = problem;
  const gpus = `${constraints.ranks} x ${workload.cluster.accelerator.name}`;
  if (closest === undefined) {
    return new MoestroError(
      "no_plan",
      `${where}: layout: no legal layout on ${gpus} has what the job fixes (${fixedOf(constraints)}); free one of them, or change the number of GPUs or the batch`,
    );
  }
  const missing = (closest.missingBytes / 1e9).toFixed(1);
  const { changes } = whatWouldFit(problem, closest.missingBytes);
  return new MoestroError(
    "no_plan",
    `${where}: nothing fits ${gpus}: the closest (${closest.sizes}) misses ${missing} GB on its fullest GPU; ${remedies(problem, changes)}`,
  );
}

function remedies(problem: PlanProblem, changes: readonly FittingChange[]): string {
  if (changes.length === 0) {
    return "neither recompute, sharding, more GPUs, larger GPUs nor freeing what is fixed was found to fit; use a smaller model or a shorter sequence";
  }
  return changes.map((change) => describe(problem, change)).join("; or ");
}

function describe({ workload, constraints }: PlanProblem, change: FittingChange): string {
  const { cluster } = workload;
  switch (change.kind) {
    case "settings":
      return `use ${change.settings.join(" with ")}`;
    case "freed":
      return `leave ${change.setting} free`;
    case "nodes": {
      const nodes = `${change.nodes} ${change.nodes === 1 ? "node" : "nodes"}`;
      const gpus = `${change.gpus} x ${cluster.accelerator.name} (${nodes})`;
      return change.settings.length === 0
        ? `use more GPUs, ${gpus}`
        : `use ${change.settings.join(" with ")} on ${gpus}`;
    }
    case "memory": {
      const larger = `use GPUs with more memory, ${constraints.ranks} of ${change.memoryGB} GB`;
      const presets = change.presets.map((name) => `${constraints.ranks} x ${name}`);
      return presets.length === 0 ? larger : `${larger} such as ${joinAlternatives(presets)}`;
    }
  }
}

function fixedOf({ fixed, microBatchSize, virtualPipeline, schedules }: Constraints): string {
  const given = [
    ...Object.entries(fixed),
    ["microBatchSize", microBatchSize] as const,
    ["virtualPipeline", virtualPipeline] as const,
    ...(virtualPipeline === undefined ? [] : [["schedule", schedules.join(" or ")] as const]),
  ]
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${value}`);
  return given.length === 0 ? "nothing; the batch or the heads do not divide" : given.join(", ");
}
