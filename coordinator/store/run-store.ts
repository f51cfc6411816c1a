import type { RunState } from "../run/run-state.ts";

/** The process that coordinates a run, told apart from a later one of the same pid. */
export type Holder = { pid: number; startedAt: string };

export type StoredRun = {
  runId: string;
  state: RunState;
  reason: string;
  generation: number;
  epoch: number;
  holder: Holder | undefined;
};

/**
 * What must survive a coordinator. One run has at most one holder; every
 * take-over raises the epoch, and writes under an older epoch are refused with
 * MoestroError("in_use"), so that a coordinator that was replaced cannot harm
 * the run.
 */
export interface RunStore {
  /**
   * Makes `holder` the run's coordinator and returns the new epoch; the run is
   * made if there is none. Throws MoestroError("in_use") while another holder lives.
   */
  acquire(runId: string, holder: Holder): Promise<number>;
  /** Gives the run up; somebody else may acquire it. */
  release(runId: string, epoch: number): Promise<void>;
  /** Raises and returns the run's generation. It is stored before this resolves. */
  nextGeneration(runId: string, epoch: number): Promise<number>;
  setState(runId: string, epoch: number, state: RunState, reason: string): Promise<void>;
  get(runId: string): Promise<StoredRun | undefined>;
  close(): Promise<void>;
}
