import type { Pass, ScheduleTable } from "./table.ts";
import { inFlightVectors, stageOf } from "./table.ts";

/** Parts of a pass's time: forward, gradient of the input (with recompute), gradient of the weights. */
const NUM_KINDS = 3;
const FORWARD = 0;
const INPUT_GRAD = 1;
const WEIGHT_GRAD = 2;

/** Steps of the fictitious play that mixes the paths; more hardly raise the bound. */
const NUM_ROUNDS = 24;

/** Time of all layers together and of the quickest single one, by kind of work, ms. */
export interface WorkOfModel {
  forwardMs: number;
  inputGradMs: number;
  weightGradMs: number;
  leastForwardMs: number;
  leastInputGradMs: number;
  leastWeightGradMs: number;
}

/**
 * What no split can beat under a table's order. The makespan is at least the
 * length of any path through the schedule, a sum of stages' times; of paths that
 * enter a rank with its first forward or backward of a chunk, stay while it works
 * and leave with its last, the mean over all ranks has every stage about m times
 * each p-th, and what is over tells of filling and draining. A stage can be as
 * short as one layer, so the work beyond one layer a stage counts where a mixture
 * of such means counts it least; the mixture is chosen to make that most.
 */
export interface PathBound {
  /** Paths of the mixture's stages beyond m, for each kind of work: the least, and the sum. */
  least: readonly number[];
  sum: readonly number[];
  numRanks: number;
  numStages: number;
  /** Of each rank: the peak that keeps most micro-batches of its chunks together. */
  peaks: readonly InFlightPeak[];
}

/** Micro-batches of a rank's chunks alive at once. */
export interface InFlightPeak {
  numChunks: number;
  /** Over all chunks. */
  sum: number;
  /** Of the chunk that keeps fewest. */
  least: number;
}

/**
 * Micro-batches that the mean layer of a rank keeps alive at least: every chunk has
 * a layer, and the others are where fewest are kept.
 */
export function leastInFlight({ numChunks, sum, least }: InFlightPeak, mostLayers: number): number {
  const others = Math.max(0, mostLayers - numChunks);
  return (sum + others * least) / (numChunks + others);
}

/** The bound of any schedule: ranks that never wait, and keep nothing alive. */
export function busyBound(numRanks: number): PathBound {
  const none = [0, 0, 0];
  const peak = { numChunks: 1, sum: 0, least: 0 };
  const peaks = Array.from({ length: numRanks }, () => peak);
  return { least: none, sum: none, numRanks, numStages: numRanks, peaks };
}

/** @param layersPerStage of the mean stage: how much more than one layer there is to place */
export function pathBound(table: ScheduleTable, layersPerStage: number): PathBound {
  const { numRanks, rankOfStage } = table;
  const numStages = rankOfStage.length;
  const families = table.name === "gpipe" ? turnOfGpipe(table) : meansOfPaths(table);
  const share = 1 / Math.max(1, layersPerStage);
  const mixed = bestMixture(families, numStages, share);
  const least: number[] = [];
  const sum: number[] = [];
  for (let kind = 0; kind < NUM_KINDS; kind++) {
    const own = Array.from(
      { length: numStages },
      (_, stage) => mixed[NUM_KINDS * stage + kind] as number,
    );
    least.push(Math.min(...own));
    sum.push(own.reduce((a, b) => a + b, 0));
  }
  const peaks = Array.from({ length: numRanks }, (_, rank) => peakOf(inFlightVectors(table, rank)));
  return { least, sum, numRanks, numStages, peaks };
}

/**
 * Milliseconds that a step takes at least, optimizer apart. The table of the bound
 * may have fewer micro-batches, as long as each rank enters and leaves alike.
 */
export function pathBoundMs(
  { least, sum, numRanks, numStages }: PathBound,
  numMicroBatches: number,
  work: WorkOfModel,
): number {
  const total = [work.forwardMs, work.inputGradMs, work.weightGradMs];
  const single = [work.leastForwardMs, work.leastInputGradMs, work.leastWeightGradMs];
  let workMs = 0;
  let idleMs = 0;
  for (let kind = 0; kind < NUM_KINDS; kind++) {
    const layer = single[kind] as number;
    const all = total[kind] as number;
    workMs += numMicroBatches * all;
    idleMs += (least[kind] as number) * (all - numStages * layer) + layer * (sum[kind] as number);
  }
  return (workMs + Math.max(0, idleMs)) / numRanks;
}

/**
 * For each way to enter and to leave a rank: how often its paths count a stage's
 * time beyond m, by stage and kind, summed over the ranks.
 */
function meansOfPaths(table: ScheduleTable): Float64Array[] {
  const { numRanks, numMicroBatches, rankOfStage } = table;
  const numStages = rankOfStage.length;
  const isSplit = splitBackwards(table);
  const families = new Map<string, { counts: Float64Array; numRanks: number }>();
  for (let rank = 0; rank < numRanks; rank++) {
    const own = table.passes[rank] as readonly Pass[];
    const { enters, leaves } = doors(own, table.chunksPerRank);
    const upTo = countsUpTo(table, rank, [
      ...enters.map(({ at }) => at),
      ...leaves.map(({ at }) => at + 1),
    ]);
    for (const enter of enters) {
      const head = waysTo(table, rank, own[enter.at] as Pass, isSplit);
      for (const leave of leaves) {
        if (leave.at < enter.at) continue;
        const key = `${enter.name} ${leave.name}`;
        let family = families.get(key);
        if (family === undefined) {
          family = { counts: new Float64Array(NUM_KINDS * numStages), numRanks: 0 };
          families.set(key, family);
        }
        family.numRanks++;
        const tail = waysFrom(table, rank, own[leave.at] as Pass, isSplit);
        const from = upTo.get(enter.at) as Float64Array;
        const to = upTo.get(leave.at + 1) as Float64Array;
        for (let index = 0; index < to.length; index++) {
          family.counts[index] =
            (family.counts[index] as number) +
            (to[index] as number) -
            (from[index] as number) +
            (head[index] as number) +
            (tail[index] as number);
        }
      }
    }
  }
  // A family that some rank lacks would not count that rank's work.
  return [...families.values()]
    .filter((family) => family.numRanks === numRanks)
    .map(({ counts }) => counts.map((count) => count - numMicroBatches));
}

function peakOf(vectors: readonly (readonly number[])[]): InFlightPeak {
  let peak: InFlightPeak = { numChunks: 1, sum: 0, least: 0 };
  for (const counts of vectors) {
    const sum = counts.reduce((a, b) => a + b, 0);
    if (sum > peak.sum) peak = { numChunks: counts.length, sum, least: Math.min(...counts) };
  }
  return peak;
}

/**
 * GPipe: a rank's forwards, the last micro-batch's way to the last rank, the first
 * backward's way back and the rank's backwards; p − 1 stages more than its own.
 */
function turnOfGpipe({ numRanks }: ScheduleTable): Float64Array[] {
  return [new Float64Array(NUM_KINDS * numRanks).fill(numRanks - 1)];
}

interface Door {
  name: string;
  /** Index of the pass. */
  at: number;
}

/** First and last passes of a rank's first, middle and last chunk. */
function doors(own: readonly Pass[], numChunks: number): { enters: Door[]; leaves: Door[] } {
  const chunks = new Set([0, Math.floor(numChunks / 2), numChunks - 1]);
  const first = new Map<string, number>();
  const last = new Map<string, number>();
  for (const [at, { kind, chunk }] of own.entries()) {
    if (!chunks.has(chunk)) continue;
    const name = `${kind === "I" ? "B" : kind}${chunk}`;
    if (kind !== "W" && !first.has(name)) first.set(name, at);
    last.set(name, at);
  }
  const doorsOf = (found: Map<string, number>) => [...found].map(([name, at]) => ({ name, at }));
  return { enters: doorsOf(first), leaves: doorsOf(last) };
}

/** Which backwards run in two parts: stage·m + micro-batch. */
function splitBackwards(table: ScheduleTable): Set<number> {
  const split = new Set<number>();
  for (const [rank, own] of table.passes.entries()) {
    for (const { kind, chunk, microBatch } of own) {
      if (kind === "I") split.add(stageOf(table, rank, chunk) * table.numMicroBatches + microBatch);
    }
  }
  return split;
}

/** What a rank has done before each of some passes, by stage and kind. */
function countsUpTo(
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
function waysTo(
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
function waysFrom(
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

/**
 * Multiplicative weights against the stage where a kind of work counts least: the
 * mean of the weights is a near-best mixture. Any mixture gives a valid bound.
 */
function bestMixture(
  families: readonly Float64Array[],
  numStages: number,
  share: number,
): Float64Array {
  const size = NUM_KINDS * numStages;
  const mean = new Float64Array(families.length);
  let weights = new Float64Array(families.length).fill(1 / families.length);
  const sums = families.map((family) => family.reduce((a, b) => a + b, 0) / numStages);
  const rate = Math.sqrt(Math.log(families.length + 1) / NUM_ROUNDS) / numStages;
  const mixture = (by: Float64Array) => {
    const mixed = new Float64Array(size);
    for (const [index, family] of families.entries()) {
      const weight = by[index] as number;
      for (let at = 0; at < size; at++) {
        mixed[at] = (mixed[at] as number) + weight * (family[at] as number);
      }
    }
    return mixed;
  };
  for (let round = 0; round < NUM_ROUNDS; round++) {
    const mixed = mixture(weights);
    const where = [0, 1, 2];
    for (let at = NUM_KINDS; at < size; at++) {
      const kind = at % NUM_KINDS;
      if ((mixed[at] as number) < (mixed[where[kind] as number] as number)) where[kind] = at;
    }
    for (const [index, weight] of weights.entries()) {
      mean[index] = (mean[index] as number) + weight / NUM_ROUNDS;
    }
    const next = weights.map((weight, index) => {
      const family = families[index] as Float64Array;
      const lowest = where.reduce((total, at) => total + (family[at] as number), 0);
      const gain = (1 - share) * lowest + share * (sums[index] as number);
      return weight * Math.exp(rate * gain);
    });
    const total = next.reduce((a, b) => a + b, 0);
    weights = next.map((weight) => weight / total);
  }
  return mixture(mean);
}
