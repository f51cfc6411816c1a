import { FIELD_MANAGER } from "../reconcile/actions.ts";
import type { ObservedObject } from "../reconcile/observation.ts";

/**
 * What looks read of an object, by its kind; the rest would be kept for every job there is, and
 * every change of it would be looked at. Children keep which of their fields the operator owns:
 * that others changed one shows by it. Only agents' jobs keep what is in them.
 */
export function trimmed(object: ObservedObject): ObservedObject {
  const { apiVersion, kind, spec, status } = object;
  const head = { apiVersion, kind };
  switch (kind) {
    case "MoETrainingJob":
      return { ...object, metadata: named(object) };
    case "Job":
    case "JobSet":
      return { ...head, metadata: owned(object), spec, status: { conditions: status?.conditions } };
    case "Pod":
      return { ...head, metadata: named(object), status: podStatus(status) };
    default:
      return { ...head, metadata: owned(object) };
  }
}

function named({ metadata }: ObservedObject): ObservedObject["metadata"] {
  const { managedFields: _, annotations: __, ...rest } = metadata;
  return rest;
}

function owned({ metadata }: ObservedObject): ObservedObject["metadata"] {
  const { managedFields = [], ...rest } = metadata;
  const ours = managedFields.filter(
    ({ manager, subresource = "" }) => manager === FIELD_MANAGER && subresource === "",
  );
  // Without the times of writes, which are of no concern.
  return {
    ...rest,
    managedFields: ours.map(({ manager, operation, fieldsV1 = {} }) => ({
      ...{ manager, operation, fieldsV1 },
    })),
  };
}

interface Condition {
  type: string;
  status: string;
  reason?: string;
}

interface ContainerStatus {
  image?: string;
  state?: {
    waiting?: { reason?: string; message?: string };
    terminated?: { exitCode: number; reason?: string };
  };
}

type List<Entry> = readonly Entry[] | undefined;

function podStatus({ phase, ...status }: Record<string, unknown> = {}) {
  const conditions = status.conditions as List<Condition>;
  return {
    phase,
    conditions: conditions?.map(({ type, status, reason }) => ({ type, status, reason })),
    initContainerStatuses: troubled(status.initContainerStatuses as List<ContainerStatus>),
    containerStatuses: troubled(status.containerStatuses as List<ContainerStatus>),
  };
}

/** Of a text that changes with every try nothing is kept. */
const STEADY_TEXT = "CreateContainerConfigError";

function troubled(statuses: List<ContainerStatus>) {
  return statuses?.flatMap(({ image, state }): ContainerStatus[] => {
    const of = image === undefined ? {} : { image };
    const { waiting, terminated } = state ?? {};
    if (waiting?.reason !== undefined) {
      const { reason, message = "" } = waiting;
      const kept = reason === STEADY_TEXT ? { reason, message } : { reason };
      return [{ ...of, state: { waiting: kept } }];
    }
    if (terminated === undefined || terminated.exitCode === 0) return [];
    const { exitCode, reason = "" } = terminated;
    return [{ ...of, state: { terminated: { exitCode, reason } } }];
  });
}
