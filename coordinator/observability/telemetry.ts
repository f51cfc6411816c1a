import type { FailureCause } from "../run/policy.ts";
import type { RecoverySeconds } from "../run/recovery-times.ts";
import type { RunState } from "../run/run-state.ts";

/** Why ranks were started again: what failed, or that the run moved to other slots. */
export type RestartCause = FailureCause | "move";

export type AgentCondition = "connected" | "silent" | "lost";

/** How a coordinator stands, as a look at its metrics finds it. */
export type ServiceState = {
  leads: boolean;
  /** Of its lease; 0 for one that never led. */
  epoch: number;
  storeReachable: boolean;
  agents: readonly { agentId: string; state: AgentCondition; silentMs: number }[];
  /** Runs that are not over. `goodput` 0..1, of those that have ranks. */
  runs: readonly { runId: string; state: RunState; goodput?: number }[];
};

/**
 * What a coordinator tells operators of itself. Counts are told as things happen; how it
 * stands is asked for whenever somebody looks, so nothing of a run or an agent that is
 * gone stays behind. No function throws or waits.
 */
export interface Telemetry {
  /** Whom to ask how the coordinator stands. */
  observe(state: () => ServiceState): void;
  /** Ranks of a run were started again. */
  restarted(cause: RestartCause, counted: boolean): void;
  /** A restart was for a lost agent that came back with its ranks alive. */
  restartedFalsely(): void;
  /** A recovery is over: all ranks made a step again. */
  recovered(seconds: RecoverySeconds): void;
  /** Steps that have to be trained again. */
  lostSteps(count: number): void;
  /** A run left the queue for slots. */
  queueWaited(waitMs: number): void;
  /** A report of one step came from all ranks. */
  stepReported(): void;
  /** From the last report of a step to the coefficients that answer it. */
  controlled(latencyMs: number): void;
}

/** For a coordinator that nobody looks at, as `moestro train` has. */
export const NO_TELEMETRY: Telemetry = {
  observe: () => {},
  restarted: () => {},
  restartedFalsely: () => {},
  recovered: () => {},
  lostSteps: () => {},
  queueWaited: () => {},
  stepReported: () => {},
  controlled: () => {},
};
