import {
  ApiException,
  CustomObjectsApi,
  type KubeConfig,
  KubernetesObjectApi,
  PatchStrategy,
  setHeaderOptions,
} from "@kubernetes/client-node";
import type { KubernetesObject } from "../kubernetes/children/kubernetes-object.ts";
import { API_GROUP, API_VERSION, KIND } from "../kubernetes/names.ts";
import { type ChildReference, FIELD_MANAGER } from "./actions.ts";
import type { JobStatus } from "./job-status.ts";
import type { ObservedJob, Refusal } from "./observation.ts";

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
}

const PLURAL = "moetrainingjobs";
const DONE: Written = { kind: "done" };

export function clusterWrites(config: KubeConfig): ClusterWrites {
  const objects = KubernetesObjectApi.makeApiClient(config);
  const custom = config.makeApiClient(CustomObjectsApi);
  return {
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
    if (error.code === 404 || error.code === 409) return { kind: "changed" };
    if (![400, 403, 422].includes(error.code)) throw error;
    return { kind: "refused", by: { kind, name, message: messageOf(error) } };
  }
}

/** The API server's own sentence. */
function messageOf({ body, message }: ApiException<unknown>): string {
  try {
    const status = (typeof body === "string" ? JSON.parse(body) : body) as { message?: unknown };
    return typeof status?.message === "string" ? status.message : message;
  } catch {
    return message;
  }
}
