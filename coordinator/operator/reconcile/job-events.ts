import type { Condition, ConditionType, JobStatus } from "./job-status.ts";
import { isTrouble } from "./pod-troubles.ts";

/** What kubectl describe tells below the job. */
export interface JobEvent {
  type: "Normal" | "Warning";
  /** One word for programs. */
  reason: string;
  /** One sentence for people. */
  message: string;
}

/**
 * What happened between two statuses of a job that people want to hear of. Few: that its pods
 * were made and are queued, Kubernetes' own events say. Pure.
 */
export function eventsBetween(
  old: JobStatus | undefined,
  now: JobStatus,
  generation: number | undefined,
): JobEvent[] {
  const changed = (now.conditions ?? []).flatMap((condition) => {
    const before = conditionIn(old, condition.type);
    const isSame = before?.status === condition.status && before.reason === condition.reason;
    const type = isSame ? undefined : weightOf(condition, now);
    return type === undefined
      ? []
      : [{ type, reason: condition.reason, message: condition.message }];
  });
  return [...restartsBetween(old, now, generation), ...changed];
}

function weightOf(
  { type, status, reason }: Condition,
  now: JobStatus,
): JobEvent["type"] | undefined {
  if (status === "True") {
    if (type === "Failed" || type === "Recovering") return "Warning";
    return type === "Planned" || type === "Admitted" ? undefined : "Normal";
  }
  // A job that fails by it says it so.
  const isFailed = conditionIn(now, "Failed")?.status === "True";
  if (type === "Planned") return isFailed ? undefined : "Warning";
  const isRefused = type === "Admitted" && reason === "Refused";
  return isRefused || isTrouble(reason) ? "Warning" : undefined;
}

/** Why is what was said while it recovered. */
function restartsBetween(
  old: JobStatus | undefined,
  now: JobStatus,
  generation: number | undefined,
): JobEvent[] {
  if ((now.restarts ?? 0) <= (old?.restarts ?? 0)) return [];
  const recovery = [now, old].map((status) => conditionIn(status, "Recovering"));
  const failure = recovery.find((one) => one?.status === "True");
  const why = failure ?? conditionIn(now, "Running");
  const which = generation === undefined ? "" : `generation ${generation}: `;
  const message = `${which}${why?.message ?? "its ranks were started again"}`;
  // Ranks that went elsewhere as they were to are no trouble.
  const type = failure === undefined ? "Normal" : "Warning";
  return [{ type, reason: "RanksRestarted", message }];
}

function conditionIn(status: JobStatus | undefined, type: ConditionType): Condition | undefined {
  return status?.conditions?.find((one) => one.type === type);
}
