import { MoestroError } from "../../errors.ts";
import type { PlanDocument } from "../plan-document.ts";
import type { Chart } from "./chart.ts";
import { renderPlanPage } from "./html.ts";
import { type Exported, exportMegatron } from "./megatron.ts";
import { loadPlanPageAssets } from "./page-assets.ts";
import { exportPerfetto } from "./perfetto.ts";
import { exportTorchtitan, exportTorchtitan02 } from "./torchtitan.ts";

export const EXPORT_FORMATS = [
  "megatron",
  "torchtitan",
  "torchtitan-0.2",
  "json",
  "perfetto",
  "html",
] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** Whether a format shows the step pass by pass. */
export function isDrawn(format: ExportFormat): boolean {
  return format === "perfetto" || format === "html";
}

/**
 * A plan as another tool reads it, with what it cannot say there. `perfetto` and
 * `html` show the timeline. Throws `invalid_input` where the target cannot run the plan.
 */
export function exportWithNotes(
  document: PlanDocument,
  timeline: Chart | undefined,
  format: ExportFormat,
): Exported {
  switch (format) {
    case "megatron":
      return exportMegatron(document);
    case "torchtitan":
      return exportTorchtitan(document);
    case "torchtitan-0.2":
      return exportTorchtitan02(document);
    case "json":
      return { text: `${JSON.stringify(document, null, 2)}\n`, notes: [] };
    case "perfetto":
      return { text: exportPerfetto(document, needed(timeline)), notes: [] };
    case "html":
      return {
        text: renderPlanPage(document, needed(timeline), loadPlanPageAssets()),
        notes: [],
      };
  }
}

/** The text alone of `exportWithNotes`. */
export function exportPlan(
  document: PlanDocument,
  timeline: Chart | undefined,
  format: ExportFormat,
): string {
  return exportWithNotes(document, timeline, format).text;
}

function needed(timeline: Chart | undefined): Chart {
  if (timeline === undefined) {
    throw new MoestroError(
      "invalid_input",
      "export: the plan has too many micro-batches and stages to be drawn; export to json, megatron or torchtitan",
    );
  }
  return timeline;
}
