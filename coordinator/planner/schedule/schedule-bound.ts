import type { PartitionLayer } from "../partition/problem.ts";
import { pathBound, pathBoundMs } from "./path-bound.ts";
import { type ScheduleProblem, weightGradMsOf } from "./schedule-problem.ts";
import type { ScheduleTable } from "./table.ts";
import { addLayers, noWork, type WorkOfModel } from "./work-of-model.ts";

/**
 * Milliseconds that no split and no choice of options can beat in a schedule: the
 * paths of path-bound.ts with each layer's least recompute, memory left aside.
 * Cheap and not tight; certify-schedule.ts has more.
 */
export function scheduleLowerBoundMs(problem: ScheduleProblem, table: ScheduleTable): number {
  const { layers, microBatches } = problem;
  const bound = pathBound(table, layers.length / table.rankOfStage.length);
  return pathBoundMs(bound, microBatches, workOf(layers, problem.schedule === "dualpipev"));
}

/** @param hides whether a pass may hide its communication behind another */
function workOf(layers: readonly PartitionLayer[], hides: boolean): WorkOfModel {
  const work = noWork();
  for (const layer of layers) {
    const { forwardCommunicationMs = 0, backwardCommunicationMs = 0 } = layer;
    const extraMs = Math.min(...layer.options.map((option) => option.extraBackwardMs));
    const weightGradMs = weightGradMsOf(layer);
    const forwardMs = layer.forwardMs - (hides ? forwardCommunicationMs : 0);
    const inputGradMs =
      layer.backwardMs - weightGradMs + extraMs - (hides ? backwardCommunicationMs : 0);
    addLayers(work, { forwardMs, inputGradMs, weightGradMs });
  }
  return work;
}
