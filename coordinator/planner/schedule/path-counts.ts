import { type Pass, type ScheduleTable, stageOf } from "./table.ts";

/** Parts of a pass's time: forward, gradient of the input (with recompute), gradient of the weights. */
export const NUM_KINDS = 3;
const FORWARD = 0;
const INPUT_GRAD = 1;
const WEIGHT_GRAD = 2;

/** Which backwards run in two parts: stage·m + micro-batch. */
export function splitBackwards(table: ScheduleTable): Set<number> {
  const split = new Set<number>();
  for (const [rank, own] of table.passes.entries()) {
    for (const { kind, chunk, microBatch } of own) {
      if (kind === "I") split.add(stageOf(table, rank, chunk) * table.numMicroBatches + microBatch);
    }
  }
  return split;
}

/** What a rank has done before each of some passes, by stage and kind. */
export function countsUpTo(
  table: ScheduleTable,
  rank: number,
  indices: readonly number[],
): Map<number, Float64Array> {
  const wanted = new Set(indices);
  const found = new Map<number, Float64Array>();
  const counts = new Float64Array(NUM_KINDS * table.rankOfStage.length);
  const own = table.passes[rank] as readonly Pass[];
  for (let at = 0; at <= own.length; at++) {
    if (wanted.has(at)) found.set(at, counts.slice());
    const pass = own[at];
    if (pass === undefined) break;
    const base = NUM_KINDS * stageOf(table, rank, pass.chunk);
    const count = (kind: number) => {
      counts[base + kind] = (counts[base + kind] as number) + 1;
    };
    if (pass.kind === "F") count(FORWARD);
    if (pass.kind === "B" || pass.kind === "I") count(INPUT_GRAD);
    if (pass.kind === "B" || pass.kind === "W") count(WEIGHT_GRAD);
  }
  return found;
}

/** What a micro-batch has behind it before a pass. */
export function waysTo(
  table: ScheduleTable,
  rank: number,
  { kind, chunk, microBatch }: Pass,
  isSplit: ReadonlySet<number>,
): Float64Array {
  const numStages = table.rankOfStage.length;
  const counts = new Float64Array(NUM_KINDS * numStages);
  const stage = stageOf(table, rank, chunk);
  const forwards = kind === "F" ? stage : numStages;
  for (let before = 0; before < forwards; before++) counts[NUM_KINDS * before + FORWARD] = 1;
  if (kind !== "F") addBackwards(table, counts, stage + 1, numStages, microBatch, isSplit);
  return counts;
}

/** What a micro-batch has before it after a pass; nothing waits for a gradient of weights. */
export function waysFrom(
  table: ScheduleTable,
  rank: number,
  { kind, chunk, microBatch }: Pass,
  isSplit: ReadonlySet<number>,
): Float64Array {
  const numStages = table.rankOfStage.length;
  const counts = new Float64Array(NUM_KINDS * numStages);
  if (kind === "W") return counts;
  const stage = stageOf(table, rank, chunk);
  if (kind === "F") {
    for (let after = stage + 1; after < numStages; after++) counts[NUM_KINDS * after + FORWARD] = 1;
  }
  addBackwards(table, counts, 0, kind === "F" ? numStages : stage, microBatch, isSplit);
  return counts;
}

function addBackwards(
  { numMicroBatches }: ScheduleTable,
  counts: Float64Array,
  from: number,
  to: number,
  microBatch: number,
  isSplit: ReadonlySet<number>,
): void {
  for (let stage = from; stage < to; stage++) {
    counts[NUM_KINDS * stage + INPUT_GRAD] = 1;
    if (!isSplit.has(stage * numMicroBatches + microBatch)) {
      counts[NUM_KINDS * stage + WEIGHT_GRAD] = 1;
    }
  }
}
