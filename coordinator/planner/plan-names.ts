import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type LayoutSchema,
  OptimizerSharding as ProtoSharding,
  Recompute,
  Schedule,
  Scheme,
} from "../../proto/gen/moestro/v1/plan_pb.js";
import type { OptimizerSharding, RecomputeKind } from "./cost/workload.ts";
import type { CandidateLayout, SchemeName } from "./layout/sizes.ts";
import type { ScheduleName } from "./plan-document.ts";

const SCHEMES: Record<SchemeName, Scheme> = {
  edp: Scheme.EDP,
  ep: Scheme.EP,
  etp: Scheme.ETP,
  folded: Scheme.FOLDED,
};

export const SCHEDULES: Record<ScheduleName, Schedule> = {
  gpipe: Schedule.SCHEDULE_GPIPE,
  "1f1b": Schedule.SCHEDULE_1F1B,
  interleaved: Schedule.SCHEDULE_INTERLEAVED,
  "zero-bubble": Schedule.SCHEDULE_ZERO_BUBBLE,
  dualpipev: Schedule.SCHEDULE_DUALPIPEV,
};

export const RECOMPUTES: Record<RecomputeKind, Recompute> = {
  none: Recompute.NONE,
  selective: Recompute.SELECTIVE,
  full: Recompute.FULL,
};

export const SHARDINGS: Record<OptimizerSharding, ProtoSharding> = {
  none: ProtoSharding.UNSPECIFIED,
  zero1: ProtoSharding.ZERO1,
  fsdp: ProtoSharding.FSDP,
};

/** A layout as the engine is told it. */
export function layoutOfPlan(
  { scheme, ...sizes }: CandidateLayout,
  virtualPipeline: number,
): MessageInitShape<typeof LayoutSchema> {
  return { ...sizes, scheme: SCHEMES[scheme], virtualPipeline, rankOrder: "tp-cp-ep-dp-pp" };
}

/** The name of an enumeration's value; undefined for one that no plan has. */
function nameIn<Name extends string, Value>(
  names: Record<Name, Value>,
  value: Value,
): Name | undefined {
  return (Object.keys(names) as Name[]).find((name) => names[name] === value);
}

export function scheduleName(schedule: Schedule): ScheduleName {
  return nameIn(SCHEDULES, schedule) ?? "1f1b";
}

export function schemeName(scheme: Scheme): SchemeName | undefined {
  return nameIn(SCHEMES, scheme);
}

export function recomputeName(recompute: Recompute): RecomputeKind {
  return nameIn(RECOMPUTES, recompute) ?? "none";
}

export function shardingName(sharding: ProtoSharding): OptimizerSharding {
  return nameIn(SHARDINGS, sharding) ?? "none";
}
