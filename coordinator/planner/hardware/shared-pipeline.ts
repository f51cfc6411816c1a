import { type Pass, rankOf, type ScheduleTable, stageOf } from "../schedule/table.ts";

type Duration = (busyRanks: number) => number;

/** One stage's passes: milliseconds of a micro-batch when so many ranks are at work at once. */
export interface SharedPass {
  forwardMs: Duration;
  /** The whole backward. */
  backwardMs: Duration;
  /** The part of it that schedules may put off. */
  weightGradMs: Duration;
}

export interface SharedPipeline {
  /** The order in which each pipeline rank runs its passes. */
  table: ScheduleTable;
  /** In model order. */
  stages: readonly SharedPass[];
  /** A message from rank to rank; it occupies none of them. */
  messageMs: number;
  /** Ranks at work while so many pipeline ranks are. */
  busyRanks: (pipelineRanks: number) => number;
}

interface Running {
  pass: Pass;
  stage: number;
  /** Share of it that is still to do. */
  left: number;
}

/**
 * Makespan of a schedule on pipeline ranks that share cores, in milliseconds. Between
 * two events the ranks at work stay the same, and each proceeds at the rate measured
 * for them. A rank runs one pass at a time.
 *
 * @throws RangeError when ranks wait for each other for ever
 */
export function sharedPipelineMs({ table, stages, messageMs, busyRanks }: SharedPipeline): number {
  const { name, numRanks, passes } = table;
  const next = passes.map(() => 0);
  const running: (Running | undefined)[] = passes.map(() => undefined);
  /** When the forward and backward of each micro-batch ended on each stage. */
  const forwards = stages.map(() => new Map<number, number>());
  const backwards = stages.map(() => new Map<number, number>());
  let now = 0;
  while (
    running.some((entry) => entry !== undefined) ||
    passes.some((own, rank) => (next[rank] ?? 0) < own.length)
  ) {
    let nextStart = Number.POSITIVE_INFINITY;
    for (const [rank, own] of passes.entries()) {
      const pass = own[next[rank] ?? 0];
      if (pass === undefined || running[rank] !== undefined) continue;
      const stage = stageOf(table, rank, pass.chunk);
      const ready = readyAt(pass, stage, rank);
      if (ready <= now) {
        running[rank] = { pass, stage, left: 1 };
        next[rank] = (next[rank] ?? 0) + 1;
      } else nextStart = Math.min(nextStart, ready);
    }
    const busy = busyRanks(running.filter((entry) => entry !== undefined).length);
    const durations = running.map((entry) => (entry === undefined ? 0 : durationOf(entry, busy)));
    const nextEnd = Math.min(
      ...running.map((entry, rank) =>
        entry === undefined ? Number.POSITIVE_INFINITY : now + entry.left * (durations[rank] ?? 0),
      ),
    );
    const then = Math.min(nextStart, nextEnd);
    if (then === Number.POSITIVE_INFINITY) throw new RangeError(`${name}: ranks wait for ever`);
    for (const [rank, entry] of running.entries()) {
      if (entry === undefined) continue;
      const duration = durations[rank] ?? 0;
      const isDone = now + entry.left * duration <= then;
      entry.left -= duration === 0 ? 1 : (then - now) / duration;
      if (!isDone) continue;
      const { kind, microBatch } = entry.pass;
      if (kind === "F") forwards[entry.stage]?.set(microBatch, then);
      else if (kind !== "W") backwards[entry.stage]?.set(microBatch, then);
      running[rank] = undefined;
    }
    now = then;
  }
  return now;

  function durationOf({ pass: { kind }, stage }: Running, busy: number): number {
    const pass = stages[stage];
    if (pass === undefined) return 0;
    switch (kind) {
      case "F":
        return pass.forwardMs(busy);
      case "B":
        return pass.backwardMs(busy);
      case "I":
        return pass.backwardMs(busy) - pass.weightGradMs(busy);
      case "W":
        return pass.weightGradMs(busy);
    }
  }

  function readyAt({ kind, microBatch }: Pass, stage: number, rank: number): number {
    if (kind === "W") return 0;
    const neighbour = kind === "F" ? stage - 1 : stage + 1;
    if (neighbour < 0 || neighbour === stages.length) return 0;
    const ended = (kind === "F" ? forwards : backwards)[neighbour]?.get(microBatch);
    if (ended === undefined) return Number.POSITIVE_INFINITY;
    return ended + (rankOf(name, numRanks, neighbour) === rank ? 0 : messageMs);
  }
}
