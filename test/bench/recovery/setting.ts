import type { Workplace } from "../../e2e/moestro.ts";
import { jobText } from "../../faults/job.ts";

/** Ranks of every system: four agents with two each, or eight processes of one launcher. */
export const NUM_RANKS = 8;
/** Steps of all ranks between the start and the kill. */
export const STEPS_BEFORE_KILL = 20;
/** More than are made before it is ended. */
const STEPS = 1_000_000;

/** Milliseconds of one round of one system; undefined for what it does not have. */
export type Times = {
  /** From being asked to the first step of all ranks. */
  start: number;
  /** From the kill to its first word of it. */
  detect: number | undefined;
  /** From the kill to the first new step of all ranks. */
  recover: number | undefined;
  /** Parts of `recover`, as the system itself measured them. */
  stages?: Readonly<Record<string, number>>;
};

/** One system, measured in a workplace that is its own. */
export type System = {
  name: string;
  /** What is started and killed, for the reader of the figures. */
  what: string;
  round(place: Workplace, rank: number): Promise<Times>;
};

/** Writes the job that all systems train; returns its path. */
export function writeJob(place: Workplace): string {
  return place.path(place.write("job.yaml", jobText("free", STEPS)));
}

export function kill(pid: number): number {
  const atMs = Date.now();
  process.kill(pid, "SIGKILL");
  return atMs;
}
