import type { ScheduleName } from "../plan-document.ts";
import type { PassKind } from "./timeline.ts";

export interface Pass {
  kind: PassKind;
  /** Model chunk of the rank. */
  chunk: number;
  microBatch: number;
  /** A forward that runs together with the backward after it. */
  overlapsNext?: true | undefined;
}

/** The order in which each rank runs its passes: what a schedule is, durations apart. */
export interface ScheduleTable {
  name: ScheduleName;
  numRanks: number;
  numMicroBatches: number;
  chunksPerRank: number;
  /** Rank that holds each stage, stages in model order. */
  rankOfStage: readonly number[];
  /** Passes of each rank, in order. */
  passes: readonly (readonly Pass[])[];
}

export interface ScheduleSizes {
  numRanks: number;
  numMicroBatches: number;
}

/** Stage in model order of a rank's chunk: in turns, or down and up again for DualPipeV. */
export function stageOf(
  { name, numRanks }: Pick<ScheduleTable, "name" | "numRanks">,
  rank: number,
  chunk: number,
): number {
  return name === "dualpipev" && chunk === 1 ? 2 * numRanks - 1 - rank : chunk * numRanks + rank;
}

/** Rank of a stage; the inverse of `stageOf`. */
export function rankOf(name: ScheduleName, numRanks: number, stage: number): number {
  return name === "dualpipev" && stage >= numRanks ? 2 * numRanks - 1 - stage : stage % numRanks;
}

/** The table of a schedule, from the passes of each rank. */
export function tableOf(
  name: ScheduleName,
  { numRanks, numMicroBatches }: ScheduleSizes,
  chunksPerRank: number,
  passesOf: (rank: number) => Pass[],
): ScheduleTable {
  const rankOfStage: number[] = [];
  const passes: Pass[][] = [];
  for (let rank = 0; rank < numRanks; rank++) {
    for (let chunk = 0; chunk < chunksPerRank; chunk++) {
      rankOfStage[stageOf({ name, numRanks }, rank, chunk)] = rank;
    }
    passes.push(passesOf(rank));
  }
  return { name, numRanks, numMicroBatches, chunksPerRank, rankOfStage, passes };
}

const knownVectors = new WeakMap<ScheduleTable, number[][][]>();

/** Forwards of each chunk that a rank keeps at once: every peak that no other one covers. */
export function inFlightVectors(table: ScheduleTable, rank: number): number[][] {
  let known = knownVectors.get(table);
  if (known === undefined) {
    known = [];
    knownVectors.set(table, known);
  }
  known[rank] ??= findVectors(table, rank);
  return known[rank];
}

function findVectors({ passes, chunksPerRank }: ScheduleTable, rank: number): number[][] {
  const own = passes[rank] ?? [];
  const split = own.some(({ kind }) => kind === "W");
  const lastOf = new Map<string, number>();
  if (split) {
    for (const [index, { kind, chunk, microBatch }] of own.entries()) {
      if (kind !== "F") lastOf.set(`${chunk}/${microBatch}`, index);
    }
  }
  const held = new Array<number>(chunksPerRank).fill(0);
  const peaks = new Map<string, number[]>();
  let grew = false;
  const note = () => {
    if (grew) peaks.set(held.join(), [...held]);
    grew = false;
  };
  for (const [index, { kind, chunk, microBatch, overlapsNext }] of own.entries()) {
    if (kind === "F") {
      held[chunk] = (held[chunk] as number) + 1;
      grew = true;
      if (overlapsNext) note();
    } else if (!split || lastOf.get(`${chunk}/${microBatch}`) === index) {
      note();
      held[chunk] = (held[chunk] as number) - 1;
    }
  }
  note();
  return undominated([...peaks.values()]);
}

function undominated(vectors: number[][]): number[][] {
  const below = (a: number[], b: number[]) => a.every((count, index) => count <= (b[index] ?? 0));
  return vectors.filter((a) => !vectors.some((b) => a !== b && below(a, b)));
}
