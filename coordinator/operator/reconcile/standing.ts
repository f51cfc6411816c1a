import type { MoETrainingJobSpec } from "../../kubernetes/moe-training-job.ts";
import { runIdOf } from "../../kubernetes/run-id.ts";
import { isEnded } from "../../run/run-state.ts";
import { type Agents, agentsIn } from "./agents.ts";
import { heldSpec } from "./held-spec.ts";
import { isTrue } from "./job-status.ts";
import type { Observation, ObservedJob } from "./observation.ts";

/** Why a job fails whose spec the coordinator refuses: a better spec ends it. */
export const REFUSED_REASONS: Record<string, string> = {
  ...{ no_plan: "NoPlan", no_job_sets: "NoJobSets", in_use: "RunExists" },
};
export const INVALID_SPEC = "InvalidSpec";

/** How a job stands, as everything that is planned for it depends on it. */
export interface Standing {
  runId: string;
  agents: Agents | undefined;
  /** Checked; undefined while it is refused, and of a job that was over before this look. */
  spec: MoETrainingJobSpec | undefined;
  /** Whether a person holds it back: spec.suspend, whatever else is wrong with the spec. */
  isHeld: boolean;
  queueName: string | undefined;
  /** Of its pods' job, once it is over; undefined for ever. */
  ttlSeconds: number | undefined;
  /** Over for good: nothing is made or submitted any more. */
  isOver: boolean;
  /** Whether the run holds no nodes, or there is none. */
  isRunOff: boolean;
  /** A JobSet keeps its size: the run lets its nodes go, and another is made with the new one. */
  isResizing: boolean;
}

export function standingOf(seen: Observation): Standing {
  const { job, verdict, children, run } = seen;
  const spec = verdict.kind === "planned" ? verdict.spec : undefined;
  const { suspend: isHeld = false, queueName, ttlSecondsAfterFinished } = heldSpec(job);
  const agents = agentsIn(children, queueName);
  const hasEnded = run !== undefined && isEnded(run.state);
  const isOver = hasEnded || agents?.end !== undefined || hasBeenOver(job);
  return {
    ...{ runId: runIdOf(job.metadata), agents, spec, isOver },
    ...{ isHeld, queueName, ttlSeconds: ttlSecondsAfterFinished },
    isResizing: !isOver && agents?.object.kind === "JobSet" && isOtherSize(agents, spec),
    isRunOff: run === undefined || hasEnded || run.state === "suspended",
  };
}

function isOtherSize({ numPods }: Agents, spec: MoETrainingJobSpec | undefined): boolean {
  return spec !== undefined && spec.nodes.max !== numPods;
}

/** So its status says, when run and children may be gone. */
export function hasBeenOver({ status }: ObservedJob): boolean {
  if (isTrue(status, "Succeeded")) return true;
  const failed = status?.conditions?.find(({ type }) => type === "Failed");
  const isRefusal = [INVALID_SPEC, ...Object.values(REFUSED_REASONS)].includes(
    failed?.reason ?? "",
  );
  return failed?.status === "True" && !isRefusal;
}
