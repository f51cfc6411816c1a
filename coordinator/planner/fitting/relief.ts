import { type OptimizerSharding, RECOMPUTE_KINDS } from "../cost/workload.ts";
import type { PlanProblem } from "../problem-of-job.ts";
import type { FittingChange } from "./fitting-change.ts";
import type { Trials } from "./trials.ts";

/** A setting with the value to give, and what it makes of a problem. */
interface Relief {
  setting: string;
  apply: (problem: PlanProblem) => PlanProblem;
}

/** More recompute and more sharding, as far as the job has not got them already. */
function reliefs({ workload, constraints }: PlanProblem): Relief[] {
  const { recompute, recomputePerLayer } = constraints;
  const isFree = recomputePerLayer === undefined && recompute.includes("full");
  const shardings: OptimizerSharding[] = ["none", "zero1", "fsdp"];
  const further = shardings.slice(shardings.indexOf(workload.optimizerSharding) + 1);
  return [
    ...(isFree
      ? []
      : [{ setting: "layout.recompute auto", apply: (p: PlanProblem) => recomputed(p) }]),
    ...further.map((optimizerSharding) => ({
      setting: `training.optimizerSharding ${optimizerSharding}`,
      apply: (p: PlanProblem) => ({ ...p, workload: { ...p.workload, optimizerSharding } }),
    })),
  ];
}

function recomputed({ workload, constraints }: PlanProblem): PlanProblem {
  const free = { recompute: RECOMPUTE_KINDS, recomputePerLayer: undefined };
  return { workload, constraints: { ...constraints, ...free } };
}

/** All reliefs at once; the last sharding is the strongest. */
export function strongest(problem: PlanProblem): { settings: string[]; relieved: PlanProblem } {
  const all = reliefs(problem);
  const last = all.filter(({ setting }) => setting.startsWith("training.")).at(-1);
  const used = all.filter((relief) => relief === last || !relief.setting.startsWith("training."));
  return {
    settings: used.map(({ setting }) => setting),
    relieved: used.reduce((changed, { apply }) => apply(changed), problem),
  };
}

/** The first of more recompute and of more sharding that is enough alone, or else all together. */
export function fittingSettings(trials: Trials, problem: PlanProblem): FittingChange[] {
  const alone = reliefs(problem).filter(({ apply }) => trials.fits(apply(problem)));
  const recompute = alone.find(({ setting }) => setting.startsWith("layout."));
  const sharding = alone.find(({ setting }) => setting.startsWith("training."));
  const found = [recompute, sharding].flatMap((relief) =>
    relief === undefined ? [] : [{ kind: "settings" as const, settings: [relief.setting] }],
  );
  const { settings, relieved } = strongest(problem);
  if (found.length > 0 || settings.length < 2 || !trials.fits(relieved)) return found;
  return [{ kind: "settings", settings }];
}
