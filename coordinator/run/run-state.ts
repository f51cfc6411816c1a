/** The life of a run. */
export type RunState =
  | "queued"
  | "starting"
  | "running"
  | "recovering"
  | "suspending"
  | "suspended"
  | "stopping"
  | "succeeded"
  | "stopped"
  | "failed";

/**
 * From each state, the states a run may go to. Continuing a run that is over, by
 * `train --resume`, is a new life.
 */
const TRANSITIONS: Record<RunState, readonly RunState[]> = {
  queued: ["starting", "suspended", "stopped", "failed"],
  starting: ["running", "recovering", "suspending", "queued", "stopping", "stopped", "failed"],
  // Ranks that move to other slots by checkpoint start again.
  running: ["starting", "recovering", "suspending", "stopping", "succeeded", "stopped", "failed"],
  recovering: ["starting", "queued", "suspending", "suspended", "stopping", "stopped", "failed"],
  // A run whose end comes first has ended.
  suspending: ["suspended", "queued", "recovering", "stopping", "succeeded", "stopped", "failed"],
  suspended: ["queued", "stopped", "failed"],
  stopping: ["succeeded", "stopped", "failed"],
  succeeded: [],
  stopped: [],
  failed: [],
};

export function isRunState(text: string): text is RunState {
  return Object.hasOwn(TRANSITIONS, text);
}

export function canTransition(from: RunState, to: RunState): boolean {
  return TRANSITIONS[from].includes(to);
}

/** Whether nothing more will happen to the run by itself. */
export function isEnded(state: RunState): boolean {
  return state === "succeeded" || state === "stopped" || state === "failed";
}

/** Whether the run holds slots, or is owed them. */
export function isPlaced(state: RunState): boolean {
  return !isEnded(state) && state !== "queued" && state !== "suspended";
}
