/** The life of a run. */
export type RunState = "starting" | "running" | "stopping" | "succeeded" | "stopped" | "failed";

/** From each state, the states a run may go to. Resuming is a new life, from `starting`. */
const TRANSITIONS: Record<RunState, readonly RunState[]> = {
  starting: ["running", "stopping", "stopped", "failed"],
  running: ["stopping", "succeeded", "stopped", "failed"],
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
