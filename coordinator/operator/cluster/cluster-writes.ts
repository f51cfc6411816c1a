import {
  ApiException,
  CustomObjectsApi,
  type KubeConfig,
  KubernetesObjectApi,
  PatchStrategy,
  setHeaderOptions,
} from "@kubernetes/client-node";
import type { KubernetesObject } from "../../kubernetes/children/kubernetes-object.ts";
import { API_GROUP, API_VERSION, KIND } from "../../kubernetes/names.ts";
import { EventRecorder } from "../event-recorder.ts";
import { type ChildReference, FIELD_MANAGER } from "../reconcile/actions.ts";
import type { JobEvent } from "../reconcile/job-events.ts";
import type { JobStatus } from "../reconcile/job-status.ts";
import type { ObservedJob, Refusal } from "../reconcile/observation.ts";

/**
 * How a write ended: as asked; not, because the cluster is not as it was seen, so look again;
 * or refused as it is. Whatever else goes wrong is thrown, and may be tried again.
 */
export type Written = { kind: "done" } | { kind: "changed" } | { kind: "refused"; by: Refusal };

/** Writes of the operator, each under its own name and only over what it has seen. */
export interface ClusterWrites {
  /** @param resourceVersion of the child that was seen; undefined if there was none */
  applyChild(child: KubernetesObject, resourceVersion: string | undefined): Promise<Written>;
  /** Deletes the one that was seen, and then what it owns. */
  deleteChild(child: ChildReference, namespace: string): Promise<Written>;
  patchStatus(job: ObservedJob, status: JobStatus): Promise<Written>;
  /** Not waited for, and lost where it cannot be written. */
  recordEvent(job: ObservedJob, event: JobEvent): void;
}

const PLURAL = "moetrainingjobs";
const DONE: Written = { kind: "done" };

export function clusterWrites(config: KubeConfig): ClusterWrites {
  const objects = KubernetesObjectApi.makeApiClient(config);
  const events = new EventRecorder(config);
  const custom = config.makeApiClient(CustomObjectsApi);
  return {
    recordEvent: (job, event) => events.record(job, event),
    applyChild: (child, resourceVersion) => {
      // What appeared meanwhile is not taken from whoever made it.
      const isForced = resourceVersion !== undefined;
      const metadata = { ...child.metadata, ...(isForced ? { resourceVersion } : {}) };
      const apply = PatchStrategy.ServerSideApply;
      const spec = { ...child, metadata };
      return told(child, () =>
        objects.patch(spec, undefined, undefined, FIELD_MANAGER, isForced, apply),
      );
    },
    deleteChild: (child, namespace) => {
      const { apiVersion, kind, name, uid } = child;
      const named = { apiVersion, kind, metadata: { name, namespace } };
      const body = { preconditions: { uid }, propagationPolicy: "Background" };
      return told(named, () =>
        objects.delete(named, undefined, undefined, undefined, undefined, undefined, body),
      );
    },
    patchStatus: ({ metadata }, status) => {
      const { name, namespace, resourceVersion } = metadata;
      const body = {
        ...{ apiVersion: API_VERSION, kind: KIND, status },
        metadata: { name, namespace, resourceVersion },
      };
      const names = { group: API_GROUP, version: API_VERSION.slice(API_GROUP.length + 1) };
      const request = { ...names, namespace, plural: PLURAL, name, body, force: true };
      const asApply = setHeaderOptions("Content-Type", PatchStrategy.ServerSideApply);
      return told(body, () =>
        custom.patchNamespacedCustomObjectStatus(
          { ...request, fieldManager: FIELD_MANAGER },
          asApply,
        ),
      );
    },
  };
}

/** @param object whom the write is about, as refusals name it */
async function told(
  { kind, metadata: { name } }: { kind: string; metadata: { name: string } },
  write: () => Promise<unknown>,
): Promise<Written> {
  try {
    await write();
    return DONE;
  } catch (error) {
    if (!(error instanceof ApiException)) throw error;
    const { message = error.message, details } = answerOf(error);
    // Something of this name is there that others have made.
    const isOthers = details?.causes?.some(({ reason }) => reason === "FieldManagerConflict");
    const hasChanged = error.code === 404 || error.code === 409;
    if (hasChanged && isOthers !== true) return { kind: "changed" };
    if (!hasChanged && ![400, 403, 422].includes(error.code)) throw error;
    return { kind: "refused", by: { kind, name, message } };
  }
}

interface Answer {
  /** The API server's own sentence. */
  message?: string;
  details?: { causes?: readonly { reason?: string }[] };
}

function answerOf({ body }: ApiException<unknown>): Answer {
  try {
    return ((typeof body === "string" ? JSON.parse(body) : body) ?? {}) as Answer;
  } catch {
    return {};
  }
}
