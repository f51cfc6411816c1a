import { readFileSync } from "node:fs";
import { parse } from "yaml";

export type JobText = {
  training: Record<string, unknown>;
  moe: Record<string, unknown>;
  [section: string]: unknown;
};

/** A job file as written, to be changed and written again. */
export function readJob(path: string): JobText {
  return parse(readFileSync(path, "utf8")) as JobText;
}

/** A job cut to so many steps, with nothing between them: no validation, no checkpoint, no sample. */
export function shortJob(path: string, steps: number): JobText {
  const job = readJob(path);
  const training = {
    ...job.training,
    steps,
    warmupSteps: 1,
    validationEverySteps: 0,
    sampleBytes: 0,
  };
  return { ...job, training, checkpoint: { everySteps: 0 } };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low = Number.NaN, high = Number.NaN] = [sorted[middle - 1], sorted[middle]];
  return sorted.length % 2 === 1 ? high : (low + high) / 2;
}
