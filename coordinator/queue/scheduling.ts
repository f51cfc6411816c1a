import type { LegalSize } from "../run/legal-sizes.ts";
import type { Placed } from "../store/store.ts";

/** A run that could start: it is queued, or recovers. */
export type WaitingRun = {
  runId: string;
  owner: string;
  /** Higher goes first. */
  priority: number;
  submittedAtMs: number;
  /** When it began to wait this time. */
  queuedSinceMs: number;
  /** What it may have, best first; empty if nothing between its bounds is legal. */
  sizes: readonly LegalSize[];
  /** Its ranks ended without anybody's wish. It goes before the queued of its priority. */
  isRecovering: boolean;
  /** Where a recovering run was: it is owed these slots. Empty otherwise. */
  previous: readonly Placed[];
};

/** A run that has slots, from its start until the last of its ranks is gone. */
export type PlacedRun = {
  runId: string;
  owner: string;
  priority: number;
  startedAtMs: number;
  placed: readonly Placed[];
  /** What it may grow to, best first; empty if it cannot change its size. */
  sizes: readonly LegalSize[];
  /** It gives its slots back: it was preempted, suspended or stopped. */
  isLeaving: boolean;
};

export type SchedulableAgent = {
  agentId: string;
  numSlots: number;
  isDrained: boolean;
  state: "connected" | "silent" | "lost";
  /** Name of its accelerators; empty for processor slots. A run has one kind. */
  accelerator: string;
};

/** Slots that may be in use at once; nobody is limited who is not named. */
export type Quotas = {
  byOwner: ReadonlyMap<string, number>;
  total: number | undefined;
};

export type SchedulingState = {
  waiting: readonly WaitingRun[];
  placed: readonly PlacedRun[];
  agents: readonly SchedulableAgent[];
  quotas: Quotas;
};

export type SchedulingOptions = {
  /** What a run waits for is kept for it, once it has waited this long. */
  starvationMs: number;
};

/** What to do, each with one sentence why. */
export type Action =
  | { kind: "start"; runId: string; size: number; placed: Placed[]; reason: string }
  /** Checkpoint it and put it back into the queue, for another run. */
  | { kind: "preempt"; runId: string; for: string; reason: string }
  /** Offer more slots to a running one; `placed` holds those that it has. */
  | { kind: "grow"; runId: string; size: number; placed: Placed[]; reason: string }
  | { kind: "wait"; runId: string; reason: string };
