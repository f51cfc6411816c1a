import type { AgentStatus } from "../../../proto/gen/moestro/v1/fleet_pb.js";
import type { RunStatus } from "../../../proto/gen/moestro/v1/run_pb.js";
import type { EventRecord } from "../../report/records.ts";
import { type History, NO_HISTORY, withSteps } from "./history.ts";

/** How the coordinators are reached. */
export type Link =
  | { phase: "connecting" }
  | { phase: "connected"; address: string }
  /** None answers; `why` is one phrase, `sinceMs` of the clock that `nowMs` is of. */
  | { phase: "away"; why: string; sinceMs: number };

/** The run that is looked at. */
export type OpenRun = {
  runId: string;
  status: RunStatus | undefined;
  history: History;
  /** Oldest first. */
  events: readonly EventRecord[];
  /** Why nothing is seen of it. */
  problem: string | undefined;
};

/** All that the dashboard is drawn from. */
export type WatchState = {
  nowMs: number;
  link: Link;
  runs: readonly RunStatus[];
  agents: readonly AgentStatus[];
  /** Why the agents are not known. */
  agentsProblem: string | undefined;
  /** Id of the run the cursor is on. */
  chosen: string | undefined;
  open: OpenRun | undefined;
};

/** What comes in from the coordinators. */
export type Update =
  | { kind: "link"; link: Link }
  | { kind: "runs"; runs: readonly RunStatus[] }
  | { kind: "agents"; agents: readonly AgentStatus[]; problem?: string }
  | { kind: "status"; status: RunStatus }
  /** The run's events come again from the first one. */
  | { kind: "events begin"; runId: string }
  | { kind: "event"; runId: string; event: EventRecord }
  | { kind: "problem"; runId: string; problem: string };

const MAX_EVENTS = 40;

export function initialWatch(nowMs: number): WatchState {
  return {
    ...{ nowMs, link: { phase: "connecting" }, runs: [], agents: [], agentsProblem: undefined },
    ...{ chosen: undefined, open: undefined },
  };
}

/** The state after an update; what is of a run that is not open any more changes nothing. */
export function withUpdate(state: WatchState, update: Update): WatchState {
  switch (update.kind) {
    case "link":
      return { ...state, link: update.link };
    case "runs":
      return { ...state, runs: update.runs, chosen: keepChosen(state, update.runs) };
    case "agents":
      return { ...state, agents: update.agents, agentsProblem: update.problem };
    case "status":
      return inOpen(state, update.status.runId, ({ history }) => ({
        status: update.status,
        history: withSteps(history, update.status),
        problem: undefined,
      }));
    case "events begin":
      return inOpen(state, update.runId, () => ({ events: [] }));
    case "event":
      return inOpen(state, update.runId, ({ events }) => ({
        events: [...events, update.event].slice(-MAX_EVENTS),
      }));
    case "problem":
      return inOpen(state, update.runId, () => ({ problem: update.problem }));
  }
}

/** Opens a run; what its list knew of it is shown until more comes. */
export function openRun(state: WatchState, runId: string): WatchState {
  const status = state.runs.find((run) => run.runId === runId);
  const history = status ? withSteps(NO_HISTORY, status) : NO_HISTORY;
  return {
    ...state,
    chosen: runId,
    open: { runId, status, history, events: [], problem: undefined },
  };
}

function inOpen(
  state: WatchState,
  runId: string,
  change: (open: OpenRun) => Partial<OpenRun>,
): WatchState {
  const { open } = state;
  return open?.runId === runId ? { ...state, open: { ...open, ...change(open) } } : state;
}

/** The cursor stays on its run, or where it was if that is gone. */
function keepChosen(state: WatchState, runs: readonly RunStatus[]): string | undefined {
  const { chosen } = state;
  if (runs.some(({ runId }) => runId === chosen)) return chosen;
  const before = state.runs.findIndex(({ runId }) => runId === chosen);
  return runs[Math.min(Math.max(0, before), runs.length - 1)]?.runId;
}
