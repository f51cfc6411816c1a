import { formatCount } from "../../report/format.ts";
import type { PlanDocument } from "../plan-document.ts";
import { table, wrap } from "../text-table.ts";
import { baselines } from "./baselines.ts";
import { breakdown } from "./breakdown.ts";
import { comparison } from "./comparison.ts";
import { formatMs, signed } from "./figures.ts";
import { stageTable } from "./stage-table.ts";

const WIDTH = 100;

/** A plan document for a person: the best few, the chosen one stage by stage, and why. */
export function describeDocument(document: PlanDocument, { color }: { color: boolean }): string {
  const heading = (text: string) => (color ? `\u001b[1m${text}\u001b[0m` : text);
  const { best } = document;
  return [
    heading(`Plan for ${document.job}`),
    ...describeProblem(document),
    "",
    heading("Best layouts (different in kind)"),
    ...indent(comparison([best, ...document.alternatives], document.model.experts > 0)),
    "",
    heading("Chosen: stages"),
    ...indent(stageTable(best)),
    "",
    heading("Chosen: where a step's time goes (mean rank)"),
    ...indent(breakdown(best)),
    "",
    heading("Against"),
    ...indent(baselines(document)),
    "",
    ...sensitivity(document, heading),
    heading("Why"),
    ...document.reasons.flatMap((reason) => wrap(reason, WIDTH, "  - ", "    ")),
    "",
    `  ${document.search.candidates} candidates in ${document.search.ms.toFixed(0)} ms: ${document.search.evaluated} cut into stages and simulated, the rest ruled out by bounds`,
    "",
  ].join("\n");
}

function describeProblem({ model, cluster, batch }: PlanDocument): string[] {
  const experts = model.experts > 0 ? `, ${model.experts} experts top-${model.topK}` : ", dense";
  const capacity =
    model.experts === 0
      ? ""
      : batch.capacityFactor === "dropless"
        ? `, dropless (imbalance ${batch.imbalance})`
        : `, capacity factor ${batch.capacityFactor}`;
  return [
    `  ${model.name}: ${model.layers} layers${experts}; ${formatCount(model.totalParameters)} parameters, ${formatCount(model.activeParameters)} active`,
    `  ${cluster.gpus} x ${cluster.name} (${cluster.nodes} nodes of ${cluster.gpusPerNode}), ${batch.globalBatchSize} sequences of ${batch.sequenceLength} tokens, ${batch.precision}${capacity}`,
  ];
}

function sensitivity(document: PlanDocument, heading: (text: string) => string): string[] {
  if (document.sensitivity.length === 0) return [];
  const rows = document.sensitivity.map(({ what, change, stepTimeMs, changeOfStep }) => [
    what,
    change,
    formatMs(stepTimeMs),
    signed(changeOfStep),
  ]);
  return [heading("If a figure is off, the chosen plan's step"), ...indent(table(rows)), ""];
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}
