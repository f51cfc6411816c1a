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
export function baselines({ best, baselines: known, fixed, model }: PlanDocument): string[] {
  const hasExperts = model.experts > 0;
  const names = (Object.keys(BASELINES) as (keyof typeof BASELINES)[]).filter(
    (name) => hasExperts || !isScheme(name),
  );
  const rows = names.flatMap((name) => {
    const choice = known[name];
    if (choice === undefined) return [];
    if (choice !== null) return [baseline(BASELINES[name], choice, best, hasExperts)];
    const { scheme } = fixed ?? {};
    const isAsked = !isScheme(name) || scheme === undefined || scheme === name;
    return [[BASELINES[name], isAsked ? "no layout fits" : "not asked for", "", ""]];
  });
  return table(rows);
}

function isScheme(name: keyof typeof BASELINES): boolean {
  return name === "edp" || name === "ep" || name === "etp";
}

function baseline(
  label: string,
  choice: PlanChoice,
  best: PlanChoice,
  hasExperts: boolean,
): string[] {
  const change = choice.predicted.stepTimeMs / best.predicted.stepTimeMs - 1;
  const { layout } = choice;
  const experts = hasExperts
    ? ` ep ${layout.expertParallel} etp ${layout.expertTensorParallel}`
    : "";
  return [
    label,
    formatMs(choice.predicted.stepTimeMs),
    signed(change),
    `tp ${layout.tensorParallel} pp ${layout.pipelineParallel} dp ${layout.dataParallel}${experts} ${layout.schedule}`,
  ];
}
