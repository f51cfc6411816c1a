import { type JobPath, joinAlternatives, type Problem } from "../../spec/problems.ts";
import type { OptimizerSharding, RecomputeKind } from "../cost/workload.ts";
import type { ScheduleName } from "../plan-document.ts";
import { pytorchCannotRun } from "../schedule/pytorch-cannot-run.ts";
import { whyNotTorchSchedule } from "../schedule/torch-schedules.ts";
import type { LayoutSizes, SizeName } from "./sizes.ts";

/**
 * What the PyTorch engine runs today, out of everything that is legal. Kept as
 * data and apart from legality: the engine grows, the rules stay.
 */
const ENGINE_CAPABILITIES: {
  /** Sizes of which it runs some values only. */
  sizes: { [name in SizeName]?: readonly number[] };
  /** Schedules under which it shards weights and gradients. */
  fsdpSchedules: readonly ScheduleName[];
} = {
  sizes: {},
  fsdpSchedules: ["gpipe", "1f1b", "interleaved"],
};

/** How the engine would run a layout. */
export interface EngineRun extends LayoutSizes {
  schedule: ScheduleName;
  numMicroBatches: number;
  optimizerSharding: OptimizerSharding;
  /** Kinds that some layer must have. */
  recompute: readonly RecomputeKind[];
}

/** The first thing about a layout that the engine cannot run, with a remedy, or nothing. */
export function whyNotRunnable(run: EngineRun): Problem | undefined {
  const { schedule, pipelineParallel, numMicroBatches, recompute } = run;
  for (const [name, allowed] of Object.entries(ENGINE_CAPABILITIES.sizes)) {
    const value = run[name as SizeName];
    if (allowed.includes(value)) continue;
    const message = `${value} is legal, but the engine does not run it; use ${joinAlternatives(allowed)}`;
    return { path: ["layout", name], message };
  }
  const torch = whyNotTorchSchedule(schedule, pipelineParallel, numMicroBatches);
  if (torch !== undefined) {
    return about(
      ["layout", "schedule"],
      `${schedule} over pipelineParallel ${pipelineParallel}: ${torch}; use another batch, micro-batch or data parallelism, or fewer stages`,
    );
  }
  // Without a pipeline every schedule is 1F1B.
  if (pipelineParallel === 1) return undefined;
  const backward = pytorchCannotRun(schedule, recompute, false);
  if (backward !== undefined) return about(["layout", "recompute"], backward);
  const { fsdpSchedules } = ENGINE_CAPABILITIES;
  if (run.optimizerSharding === "fsdp" && !fsdpSchedules.includes(schedule)) {
    return about(
      ["training", "optimizerSharding"],
      `fsdp does not run under schedule ${schedule}, whose backward comes in parts; use schedule ${joinAlternatives(fsdpSchedules)}, or optimizerSharding zero1`,
    );
  }
  return undefined;
}

function about(path: JobPath, message: string): Problem {
  return { path, message };
}
