import type { PlanChoice, PlannedStage } from "../plan-document.ts";
import { table } from "../text-table.ts";
import { gigabytes } from "./figures.ts";

/** What each stage holds, takes and keeps; with chunks, each rank. */
export function stageTable(choice: PlanChoice): string[] {
  const { stages, layout, predicted } = choice;
  const limit = `memory limit ${gigabytes(predicted.memoryLimitBytes)} a GPU`;
  if (layout.virtualPipeline > 1) return [...rankTable(choice), limit];
  const rows = stages.map((stage) => [
    String(stage.pipelineRank),
    layersOf(stage),
    recomputeOf(stage),
    stage.forwardMs.toFixed(2),
    stage.backwardMs.toFixed(2),
    stage.recomputeMs.toFixed(2),
    String(stage.inFlightMicroBatches),
    gigabytes(stage.memoryBytes),
  ]);
  return [...table([headsOf("layers"), ...rows]), limit];
}

/** One row a rank, whose chunks are many: --json has each. */
function rankTable({ stages, predicted }: PlanChoice): string[] {
  const rows = predicted.memoryBytesPerStage.map((memoryBytes, rank) => {
    const own = stages.filter((stage) => stage.pipelineRank === rank);
    const sum = (pick: (stage: PlannedStage) => number) =>
      own.reduce((total, stage) => total + pick(stage), 0);
    return [
      String(rank),
      runs(own.map(layersOf)),
      recomputeOf({ recompute: own.flatMap(({ recompute }) => recompute) }),
      sum((stage) => stage.forwardMs).toFixed(2),
      sum((stage) => stage.backwardMs).toFixed(2),
      sum((stage) => stage.recomputeMs).toFixed(2),
      runs(own.map(({ inFlightMicroBatches }) => String(inFlightMicroBatches))),
      gigabytes(memoryBytes),
    ];
  });
  return table([headsOf("layers by chunk"), ...rows]);
}

function headsOf(layers: string): string[] {
  return ["rank", layers, "recompute", "fwd ms", "bwd ms", "recompute ms", "in flight", "memory"];
}

/** At most so many chunks are listed one by one. */
const MOST_LISTED = 4;

/** The first and the last of many, the others counted. */
function runs(values: readonly string[]): string {
  if (values.length <= MOST_LISTED) return values.join(", ");
  const [first = "", second = ""] = values;
  return `${first}, ${second}, (${values.length - 3} more), ${values.at(-1)}`;
}

function layersOf(stage: PlannedStage): string {
  const around = [
    stage.hasEmbedding ? "embedding" : "",
    stage.layers === null ? "" : rangeOf(stage.layers),
    stage.mtpLayers > 0 ? `${stage.mtpLayers} mtp` : "",
    stage.hasHead ? "head" : "",
  ];
  return around.filter((text) => text !== "").join(" + ");
}

function rangeOf([first, last]: [number, number]): string {
  return first === last ? String(first) : `${first}-${last}`;
}

function recomputeOf({ recompute }: Pick<PlannedStage, "recompute">): string {
  const count = (kind: string) => recompute.filter((other) => other === kind).length;
  const parts = ["full", "selective"].flatMap((kind) =>
    count(kind) > 0 ? [`${count(kind)} ${kind}`] : [],
  );
  return parts.length === 0 ? "none" : parts.join(", ");
}
