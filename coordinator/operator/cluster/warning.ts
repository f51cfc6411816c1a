import { agentsName } from "../../kubernetes/children/identity.ts";
import type { MoETrainingJob } from "../../kubernetes/moe-training-job.ts";
import type { ObservedJob, ObservedObject } from "../reconcile/observation.ts";

/** What the Job controller says about pods that it could not make. */
export const WARNINGS = "involvedObject.kind=Job,type=Warning,reason=FailedCreate";

/** One that was not said again for so long is over: controllers try again sooner. */
const OLD_MS = 5 * 60_000;
/** The newest say enough. */
const MOST = 3;

type Warning = ObservedObject & { message: string; atMs: number; aboutUid: string };

interface CoreEvent {
  involvedObject?: { name?: string; uid?: string };
  message?: string;
  firstTimestamp?: string | null;
  lastTimestamp?: string | null;
  eventTime?: string | null;
  series?: { lastObservedTime?: string };
}

/** What is kept of an Event, under the name of the job of Kubernetes that it is about. */
export function warningOf(object: ObservedObject): Warning {
  const { involvedObject = {}, message = "", ...times } = object as CoreEvent & ObservedObject;
  const { series, lastTimestamp, eventTime, firstTimestamp } = times;
  const at = series?.lastObservedTime ?? lastTimestamp ?? eventTime ?? firstTimestamp ?? "";
  const { uid, resourceVersion } = object.metadata;
  return {
    ...{ apiVersion: object.apiVersion, kind: object.kind },
    metadata: { name: involvedObject.name ?? "", uid, resourceVersion },
    ...{ message, atMs: Date.parse(at) || 0, aboutUid: involvedObject.uid ?? "" },
  };
}

/** What the job that makes a job's pods may be called: its own, or the one that its JobSet makes. */
export function podsJobNames({ metadata: { name } }: ObservedJob): string[] {
  const own = agentsName({ metadata: { name } } as MoETrainingJob);
  return [own, `${own}-0`];
}

/** The job that would be called so. */
export function jobNameOf(podsJobName: string): string | undefined {
  return /^(.+)-agents(-0)?$/.exec(podsJobName)?.[1];
}

/** Messages of those that still hold, the newest first. */
export function messagesOf(
  warnings: readonly ObservedObject[],
  agents: ObservedObject | undefined,
  nowMs: number,
): string[] {
  return (warnings as Warning[])
    .filter(({ atMs }) => nowMs - atMs < OLD_MS)
    .filter(({ aboutUid }) => agents?.kind === "JobSet" || aboutUid === agents?.metadata.uid)
    .toSorted((a, b) => b.atMs - a.atMs)
    .slice(0, MOST)
    .map(({ message }) => message);
}
