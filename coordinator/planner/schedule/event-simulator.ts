import { compileTable } from "./compiled-table.ts";
import { memoryOverTime } from "./memory-over-time.ts";
import { type PassDurations, type PassTimes, runPasses } from "./run-passes.ts";
import type { SimulationOptions, StageCosts } from "./stage-costs.ts";
import { type ScheduleTable, stageOf } from "./table.ts";
import type { BubbleSplit, Timeline, TimelinePass } from "./timeline.ts";

/** Durations of stages as the simulator's core takes them. */
export function durationsOf(stages: readonly StageCosts[]): PassDurations {
  const pick = (value: (stage: StageCosts) => number | undefined) =>
    Float64Array.from(stages, (stage) => value(stage) ?? 0);
  return {
    forwardMs: pick((stage) => stage.forwardMs),
    inputGradMs: pick((stage) => stage.inputGradMs),
    weightGradMs: pick((stage) => stage.weightGradMs),
    forwardCommunicationMs: pick((stage) => stage.forwardCommunicationMs),
    backwardCommunicationMs: pick((stage) => stage.backwardCommunicationMs),
  };
}

/** Milliseconds of one step, without recording anything. `stages` in model order. */
export function makespanOf(
  table: ScheduleTable,
  stages: readonly StageCosts[],
  { p2pMs = 0, optimizerMs = 0 }: SimulationOptions = {},
): number {
  checkStages(table, stages);
  const free = runPasses(compileTable(table), durationsOf(stages), p2pMs);
  return latest(free, optimizerMs);
}

/**
 * One optimizer step of a schedule with unequal stages: when each pass runs, what
 * is held when, and where the bubble comes from.
 *
 * @param stages in model order
 * @throws RangeError when the table deadlocks, naming a rank and the pass it waits with
 */
export function simulateSchedule(
  table: ScheduleTable,
  stages: readonly StageCosts[],
  { p2pMs = 0, optimizerMs = 0 }: SimulationOptions = {},
): Timeline {
  checkStages(table, stages);
  const blank = () => table.passes.map((own) => new Float64Array(own.length));
  const times: PassTimes = { startMs: blank(), endMs: blank() };
  const free = runPasses(compileTable(table), durationsOf(stages), p2pMs, times);
  const ranks = table.passes.map((own, rank) => {
    const passes = own.map(({ kind, chunk, microBatch }, index): TimelinePass => {
      const stage = stageOf(table, rank, chunk);
      return {
        kind,
        chunk,
        stage,
        microBatch,
        startMs: times.startMs[rank]?.[index] ?? 0,
        endMs: times.endMs[rank]?.[index] ?? 0,
        recomputeMs: kind === "B" || kind === "I" ? (stages[stage]?.recomputeMs ?? 0) : 0,
      };
    });
    const held = stages.filter((_, stage) => table.rankOfStage[stage] === rank);
    const staticBytes = held.reduce((sum, stage) => sum + stage.staticBytes, 0);
    const memory = memoryOverTime(passes, stages, staticBytes);
    const ownOptimizerMs = entry(optimizerMs, rank);
    if (ownOptimizerMs > 0) {
      const startMs = free[rank] as number;
      const endMs = startMs + ownOptimizerMs;
      const nowhere = { chunk: -1, stage: -1, microBatch: -1, recomputeMs: 0 };
      passes.push({ kind: "optimizer", ...nowhere, startMs, endMs });
    }
    return { rank, passes, ...memory };
  });
  return {
    schedule: table.name,
    makespanMs: latest(free, optimizerMs),
    ranks,
    bubble: bubbleSplit(table, stages, p2pMs),
  };
}

/**
 * The bubble by cause: what each fact of life adds, simulated one after the other.
 * One that fills idle time rather than adding to it has no part.
 *
 * @param countsCommunication whether communication inside passes is work of a rank,
 *   for schedules that hide none of it, or idle time as far as it shows
 */
export function bubbleSplit(
  table: ScheduleTable,
  stages: readonly StageCosts[],
  p2pMs: number,
  countsCommunication = false,
): BubbleSplit {
  const silent = { forwardCommunicationMs: 0, backwardCommunicationMs: 0 };
  const computing = stages.map((stage) => ({ ...stage, ...silent }));
  const plain = computing.map((stage) => {
    const inputGradMs = stage.inputGradMs - (stage.recomputeMs ?? 0);
    return { ...stage, inputGradMs, recomputeMs: 0 };
  });
  const mean = (value: (stage: StageCosts) => number) =>
    plain.reduce((sum, stage) => sum + value(stage), 0) / stages.length;
  const average = {
    forwardMs: mean((stage) => stage.forwardMs),
    inputGradMs: mean((stage) => stage.inputGradMs),
    weightGradMs: mean((stage) => stage.weightGradMs),
    activationBytes: 0,
    staticBytes: 0,
  };
  const even = stages.map(() => average);
  const bubble = (variant: readonly StageCosts[], hopMs: number) =>
    makespanOf(table, variant, { p2pMs: hopMs }) - meanWorkMs(table, variant, countsCommunication);
  const idealMs = bubble(even, 0);
  const uneven = bubble(plain, 0);
  const recomputing = bubble(computing, 0);
  const totalMs = bubble(stages, p2pMs);
  return sharesOf(totalMs, idealMs, [
    uneven - idealMs,
    recomputing - uneven,
    totalMs - recomputing,
  ]);
}

/** Parts that sum to the total, none below 0: increases share what is beyond the ideal. */
function sharesOf(
  totalMs: number,
  ideal: number,
  increases: readonly [imbalance: number, recompute: number, communication: number],
): BubbleSplit {
  const idealMs = Math.max(0, Math.min(ideal, totalMs));
  const above = increases.map((ms) => Math.max(0, ms));
  const sum = above.reduce((a, b) => a + b, 0);
  const scale = sum > 0 ? (totalMs - idealMs) / sum : 0;
  const [imbalanceMs = 0, recomputeMs = 0, communicationMs = 0] = above.map((ms) => scale * ms);
  return { idealMs, imbalanceMs, recomputeMs, communicationMs, totalMs };
}

/** Milliseconds the mean rank works, recompute counted. */
function meanWorkMs(
  { numRanks, numMicroBatches }: ScheduleTable,
  stages: readonly StageCosts[],
  countsCommunication: boolean,
): number {
  let total = 0;
  for (const stage of stages) {
    total += stage.forwardMs + stage.inputGradMs + stage.weightGradMs;
    if (countsCommunication) {
      total += (stage.forwardCommunicationMs ?? 0) + (stage.backwardCommunicationMs ?? 0);
    }
  }
  return (numMicroBatches * total) / numRanks;
}

function latest(free: Float64Array, optimizerMs: number | readonly number[]): number {
  return free.reduce((last, ms, rank) => Math.max(last, ms + entry(optimizerMs, rank)), 0);
}

function entry(value: number | readonly number[], rank: number): number {
  return typeof value === "number" ? value : (value[rank] ?? 0);
}

function checkStages({ rankOfStage, name }: ScheduleTable, stages: readonly StageCosts[]): void {
  if (stages.length !== rankOfStage.length) {
    throw new RangeError(`${name} has ${rankOfStage.length} stages, not ${stages.length}`);
  }
}
