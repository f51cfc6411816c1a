import type { PlannedLayout, PlannedStage } from "../plan-document.ts";
import { scheduleIllegal } from "../schedule/schedule-table.ts";
import { rankOf } from "../schedule/table.ts";

/** Where in a choice something is wrong, and what must be. */
export interface Fault {
  path: (string | number)[];
  message: string;
}

/** Sizes of a layout that do not go together. */
export function layoutFaults(layout: PlannedLayout): Fault[] {
  const faults: Fault[] = [];
  const { expertParallel, expertTensorParallel, expertDataParallel } = layout;
  const { tensorParallel, contextParallel, dataParallel } = layout;
  const ranks = tensorParallel * contextParallel * dataParallel;
  if (expertParallel * expertTensorParallel * expertDataParallel !== ranks) {
    faults.push({
      path: ["layout"],
      message: `must have expertParallel × expertTensorParallel × expertDataParallel = tensorParallel × contextParallel × dataParallel, which is ${ranks}`,
    });
  }
  const illegal = scheduleIllegal({
    // Without a pipeline every schedule is the same.
    schedule: layout.pipelineParallel === 1 ? "1f1b" : layout.schedule,
    numRanks: layout.pipelineParallel,
    numMicroBatches: layout.numMicroBatches,
    chunksPerRank: layout.virtualPipeline,
  });
  if (illegal !== undefined) {
    faults.push({ path: ["layout", "schedule"], message: `must be one that can run: ${illegal}` });
  }
  return faults;
}

/** Stages that lie elsewhere than the schedule has them. */
export function placeFaults(layout: PlannedLayout, stages: readonly PlannedStage[]): Fault[] {
  const { schedule, pipelineParallel } = layout;
  return stages.flatMap((stage, index) => {
    const place = {
      stage: index,
      pipelineRank: rankOf(schedule, pipelineParallel, index),
      chunk: Math.floor(index / pipelineParallel),
    };
    const wrong = (Object.keys(place) as (keyof typeof place)[]).find(
      (name) => stage[name] !== place[name],
    );
    if (wrong === undefined) return [];
    const message = `must be ${place[wrong]}, where the schedule has this stage`;
    return [{ path: ["stages", index, wrong], message }];
  });
}
