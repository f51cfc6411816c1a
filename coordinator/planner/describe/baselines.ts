import type { PlanChoice, PlanDocument } from "../plan-document.ts";
import { table } from "../text-table.ts";
import { formatMs, signed } from "./figures.ts";

const BASELINES = {
  uniform: "uniform stages, one recompute for all",
  edp: "best with scheme edp",
  ep: "best with scheme ep",
  etp: "best with scheme etp",
  unrestricted: "best that nothing need express",
} as const;

/** What simpler plans would take, beside the best. */
export function baselines({ best, baselines: known }: PlanDocument): string[] {
  const names = Object.keys(BASELINES) as (keyof typeof BASELINES)[];
  const rows = names.flatMap((name) => {
    const choice = known[name];
    return choice === undefined ? [] : [baseline(BASELINES[name], choice, best)];
  });
  return table(rows);
}

function baseline(label: string, choice: PlanChoice | null, best: PlanChoice): string[] {
  if (choice === null) return [label, "does not fit", "", ""];
  const change = choice.predicted.stepTimeMs / best.predicted.stepTimeMs - 1;
  const { layout } = choice;
  return [
    label,
    formatMs(choice.predicted.stepTimeMs),
    signed(change),
    `tp ${layout.tensorParallel} pp ${layout.pipelineParallel} dp ${layout.dataParallel} ep ${layout.expertParallel} etp ${layout.expertTensorParallel} ${layout.schedule}`,
  ];
}
