import type { Workplace } from "../../e2e/moestro.ts";
import { jobText } from "../../faults/job.ts";

/** Ranks of every system: four agents with two each, or eight processes of one launcher. */
export const NUM_RANKS = 8;
/** Steps of all ranks between the start and a kill. */
export const STEPS_BEFORE_KILL = 20;
/** More than are made before the run is ended. */
export const STEPS = 1_000_000;

/** Milliseconds of one round; undefined for what was not measured. */
export type Times = {
  /** From being asked for the ranks to the first step of all of them. */
  start?: number;
  /** From the kill to the system's first word of it. */
  detect?: number;
  /** That word. */
  word?: string;
  /** From the kill to the first new step of all ranks. */
  recover?: number;
  /** From the last step before the kill to the first after it, as the system divides it. */
  stages?: Readonly<Record<string, number>>;
};

/** One system, measured in a workplace of its own a round. */
export type System = {
  /** A line of the table each: what is started and killed there. */
  rows: readonly { name: string; what: string }[];
  /** The times of each row; `rank` is the one to kill. */
  round(place: Workplace, rank: number): Promise<readonly Times[]>;
};

/** Writes the job that all systems train; returns its path. */
export function writeJob(place: Workplace): string {
  return place.path(place.write("job.yaml", jobText("free", STEPS)));
}

/** Kills the process; returns when. */
export function kill(pid: number): number {
  const atMs = Date.now();
  process.kill(pid, "SIGKILL");
  return atMs;
}
