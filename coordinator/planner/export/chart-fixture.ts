import type { PlanDocument } from "../plan-document.ts";
import { chartOfPlan } from "../schedule/chart-of-plan.ts";
import type { Chart } from "./chart.ts";

/** The step of a fixture's plan under 1F1B, with an optimizer at its end. */
export function makeChart({ best }: PlanDocument): Chart {
  const chart = chartOfPlan(best);
  if (chart === undefined) throw new Error(`a chart of ${best.layout.schedule}`);
  return chart;
}
