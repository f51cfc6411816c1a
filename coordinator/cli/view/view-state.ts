import type { Plan } from "../../../proto/gen/moestro/v1/plan_pb.js";
import type { RunStatus } from "../../../proto/gen/moestro/v1/run_pb.js";
import { ranksOfStages } from "../../report/chunks.ts";
import { describeLayout } from "../../report/describe-plan.ts";
import type { EventRecord, MetricsRecord } from "../../report/records.ts";
import { mean, resample } from "./glyphs.ts";

/** Losses remembered for the sparkline: more than terminals are wide. */
const MAX_LOSSES = 512;
const MAX_EVENTS = 40;

/** All that a frame is drawn from. */
export type ViewState = {
  name: string;
  layout: string;
  /** Pipeline rank of each stage, where a rank holds several. */
  rankOfStage: readonly number[] | undefined;
  status: RunStatus | undefined;
  /** Of the last step. */
  metrics: MetricsRecord | undefined;
  /** Oldest first; means of neighbouring steps once the run is long. */
  losses: readonly number[];
  /** Oldest first. */
  events: readonly EventRecord[];
};

export function initialState(name: string, plan: Plan): ViewState {
  return {
    name,
    layout: describeLayout(plan),
    rankOfStage: ranksOfStages(plan),
    status: undefined,
    metrics: undefined,
    losses: [],
    events: [],
  };
}

export function withStep(state: ViewState, metrics: MetricsRecord): ViewState {
  const losses = [...state.losses, metrics.loss];
  return {
    ...state,
    metrics,
    losses: losses.length > MAX_LOSSES ? resample(losses, MAX_LOSSES / 2, mean) : losses,
  };
}

export function withEvent(state: ViewState, event: EventRecord): ViewState {
  return { ...state, events: [...state.events, event].slice(-MAX_EVENTS) };
}
