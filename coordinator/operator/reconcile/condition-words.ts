import { agentsName } from "../../kubernetes/children/identity.ts";
import type { MoETrainingJob } from "../../kubernetes/moe-training-job.ts";
import { isAgents, lackedByPods } from "./agents.ts";
import type { Condition, ConditionType } from "./job-status.ts";
import { isTrue } from "./job-status.ts";
import type { Observation, Refusal } from "./observation.ts";
import { troubleOf } from "./pod-troubles.ts";
import { isLive } from "./pods.ts";
import { INVALID_SPEC, REFUSED_REASONS, type Standing } from "./standing.ts";

/** A condition before it is known since when. */
export type Said = Pick<Condition, "status" | "reason" | "message">;

const yes = (reason: string, message: string): Said => ({ status: "True", reason, message });
const no = (reason: string, message: string): Said => ({ status: "False", reason, message });

/** What is true of the job now, each by itself. */
export function conditionsNow(seen: Observation, standing: Standing): Record<ConditionType, Said> {
  const end = endNow(seen, standing);
  const goes = end === undefined ? goingNow(seen, standing) : restNow(seen, standing);
  const unended = no("NotOver", "The job is not over.");
  return {
    ...{ Planned: plannedNow(seen), ...goes, Succeeded: unended, Failed: unended },
    ...(end === undefined ? {} : { [end.type]: end.said }),
  };
}

function plannedNow({ verdict, job: { status } }: Observation): Said {
  if (verdict.kind === "refused") return no(refusedReason(verdict.code), verdict.lines.join("\n"));
  const before = status?.conditions?.find(({ type }) => type === "Planned");
  if (verdict.kind === "notNeeded" && before !== undefined) {
    const { status, reason, message } = before;
    return { status, reason, message };
  }
  return yes("Planned", "The job has a plan; the ConfigMap of its name and -plan has it.");
}

const refusedReason = (code: string) => REFUSED_REASONS[code] ?? INVALID_SPEC;

type End = { type: "Succeeded" | "Failed"; said: Said };

/** The run's word comes first: pods that end with it, or are gone since, say nothing new. */
function endNow(seen: Observation, { agents, isOver }: Standing): End | undefined {
  const { run, verdict } = seen;
  const failed = (reason: string, message: string): End => ({
    type: "Failed",
    said: yes(reason, message),
  });
  if (run?.state === "succeeded") {
    return { type: "Succeeded", said: yes("RunSucceeded", run.reason) };
  }
  const before = endBefore(seen);
  if (isOver && before !== undefined) return before;
  if (run?.state === "failed") return failed("RunFailed", run.reason);
  if (agents?.end !== undefined) {
    const { reason, message, isFailure } = agents.end;
    return failed(isFailure ? reason : "AgentsEnded", message);
  }
  if (run?.state === "stopped") return failed("RunStopped", run.reason);
  // What runs goes on as it was planned before.
  if (verdict.kind !== "refused" || run !== undefined || agents !== undefined) return undefined;
  const { code, lines } = verdict;
  return failed(refusedReason(code), lines.join("\n"));
}

/** The API server lets not all of a spec be changed. */
const REMEDY =
  "Correct it with kubectl apply; what cannot be changed: delete the job and apply it again, corrected.";

function endBefore({ job: { status } }: Observation): End | undefined {
  for (const type of ["Succeeded", "Failed"] as const) {
    const known = status?.conditions?.find((one) => one.type === type);
    if (known === undefined || !isTrue(status, type)) continue;
    const { reason, message } = known;
    return { type, said: yes(reason, message) };
  }
  return undefined;
}

type Going = Record<"Admitted" | "Running" | "Recovering" | "Suspended", Said>;

/** Of a job that is over, which keeps nothing. */
function restNow({ job: { status } }: Observation, { agents, isOver }: Standing): Going {
  const over = isOver
    ? no("Over", "The job is over.")
    : no("NotPlanned", `The job has no plan. ${REMEDY}`);
  const wasAdmitted = isOver && (isTrue(status, "Admitted") || agents?.isSuspended === false);
  const admitted = yes("Started", "Its pods were started.");
  return {
    Admitted: wasAdmitted ? admitted : over,
    ...{ Running: over, Recovering: over, Suspended: over },
  };
}

function goingNow(seen: Observation, standing: Standing): Going {
  const { run, pods, warnings } = seen;
  const { agents } = standing;
  const numWanted = agents?.isSuspended === false ? agents.numPods : 0;
  const areAllMade = pods.filter(isLive).length >= numWanted;
  const trouble = troubleOf(pods, areAllMade ? [] : warnings);
  const waiting = run === undefined ? "The run is not submitted yet." : run.reason;
  const notRunning = trouble ?? { reason: capital(run?.state ?? "notSubmitted"), message: waiting };
  const isOff = standing.isRunOff && agents?.isSuspended !== false;
  return {
    Admitted: admittedNow(seen, standing),
    Running:
      run?.state === "running"
        ? yes("Running", run.reason)
        : isOff
          ? no("NotStarted", "It has no pods.")
          : no(notRunning.reason, notRunning.message),
    Recovering:
      run?.state === "recovering"
        ? yes(trouble?.reason ?? recoveryReason(seen), run.reason)
        : no("NotRecovering", "No ranks are lost."),
    Suspended: suspendedNow(seen, standing),
  };
}

/** What it began with: the pod that it was may be gone since. */
function recoveryReason({ job: { status } }: Observation): string {
  const before = status?.conditions?.find(({ type }) => type === "Recovering");
  return before?.status === "True" ? before.reason : "RanksLost";
}

function admittedNow(seen: Observation, { agents, isHeld, queueName }: Standing): Said {
  const { job, refusals } = seen;
  const own = agentsName(job as unknown as MoETrainingJob);
  if (agents?.isSuspended === false) return yes("Started", "Its pods are started.");
  if (isHeld) return no("Suspended", "It is suspended by spec.suspend.");
  // That it be made, or what it needs; or that it go on, where that is moestro's to say.
  const isOurs = agents === undefined || agents.startedBy === "moestro";
  const lacked = agents === undefined ? lackedByPods(seen) : undefined;
  const refusal = lacked ?? (isOurs ? refusals.find(isAgents) : undefined);
  if (refusal !== undefined) return notAdmitted(refusal);
  if (agents === undefined) return no("NotMade", `${own} is not made yet.`);
  return queueName === undefined
    ? no("Queued", `${own} waits for whoever suspended it to start it.`)
    : no("Queued", `${own} waits for the queue ${queueName}.`);
}

function notAdmitted(refusal: Refusal): Said {
  const isQuota = /exceeded quota/.test(refusal.message);
  return no(isQuota ? "QuotaExceeded" : "Refused", refusedWords(refusal));
}

export function refusedWords({ kind, name, message }: Refusal): string {
  return `${kind} ${name} was refused: ${message}`;
}

function suspendedNow({ run }: Observation, standing: Standing): Said {
  const { agents, isHeld, queueName, isRunOff, isResizing } = standing;
  const hasStopped = isRunOff && agents?.isSuspended !== false;
  if (isHeld && hasStopped) {
    return yes("SuspendedBySpec", "Its nodes are given back until spec.suspend is false.");
  }
  if (isHeld) return no("Suspending", "A checkpoint is written, then its nodes are given back.");
  if (run !== undefined && agents?.isSuspended === true) {
    const when =
      queueName === undefined ? "its pods may start" : `the queue ${queueName} starts it`;
    return isRunOff
      ? yes("WaitsForNodes", `It has no nodes, and goes on when ${when}.`)
      : no("Suspending", "Its nodes are being taken.");
  }
  if (isResizing) {
    const how = "a checkpoint is written, then another is made";
    return no("Resizing", `A JobSet cannot change its size: ${how}.`);
  }
  return no("NotSuspended", "It is not to be suspended.");
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
