import { type ScheduleTable, stageOf } from "./table.ts";
import type { PassKind } from "./timeline.ts";

/** Codes of the kinds of pass in a compiled table. */
export const FORWARD = 0;
export const BACKWARD = 1;
export const INPUT_GRAD = 2;
export const WEIGHT_GRAD = 3;
/** A forward that runs together with the next pass. */
export const FORWARD_OVERLAPPED = 4;

const CODES: Record<PassKind, number> = {
  F: FORWARD,
  B: BACKWARD,
  I: INPUT_GRAD,
  W: WEIGHT_GRAD,
};

/** A schedule table as flat arrays, to be simulated many times. */
export interface CompiledTable {
  table: ScheduleTable;
  numStages: number;
  /** Of each rank, one entry a pass: its kind's code, its stage, and stage·m + micro-batch. */
  kinds: Uint8Array[];
  stages: Int32Array[];
  slots: Int32Array[];
}

const compiled = new WeakMap<ScheduleTable, CompiledTable>();

export function compileTable(table: ScheduleTable): CompiledTable {
  let result = compiled.get(table);
  if (!result) {
    result = compile(table);
    compiled.set(table, result);
  }
  return result;
}

function compile(table: ScheduleTable): CompiledTable {
  const { numMicroBatches, passes, rankOfStage } = table;
  return {
    table,
    numStages: rankOfStage.length,
    kinds: passes.map((own) =>
      Uint8Array.from(own, ({ kind, overlapsNext }) =>
        overlapsNext ? FORWARD_OVERLAPPED : CODES[kind],
      ),
    ),
    stages: passes.map((own, rank) =>
      Int32Array.from(own, ({ chunk }) => stageOf(table, rank, chunk)),
    ),
    slots: passes.map((own, rank) =>
      Int32Array.from(
        own,
        ({ chunk, microBatch }) => stageOf(table, rank, chunk) * numMicroBatches + microBatch,
      ),
    ),
  };
}
