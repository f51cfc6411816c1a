import type { KubeConfig } from "@kubernetes/client-node";
import { collectionPath, requestApi } from "../../kubernetes/api-request.ts";
import type { KubernetesObject } from "../../kubernetes/children/kubernetes-object.ts";
import { API_VERSION, KIND, PLURAL } from "../../kubernetes/names.ts";
import type { ChildReference } from "../reconcile/actions.ts";
import type { JobEvent } from "../reconcile/job-events.ts";
import type { JobStatus } from "../reconcile/job-status.ts";
import type { ObservedJob } from "../reconcile/observation.ts";
import { apply } from "./apply.ts";
import { pluralOf } from "./child-kinds.ts";
import { createChild, isWithoutConflict } from "./create-child.ts";
import { EventRecorder } from "./event-recorder.ts";
import { told, type Written } from "./told.ts";

export type { Written } from "./told.ts";

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

const DONE: Written = { kind: "done" };

export function clusterWrites(config: KubeConfig): ClusterWrites {
  const events = new EventRecorder(config);
  return {
    recordEvent: (job, event) => events.record(job, event),
    applyChild: (child, resourceVersion) =>
      told(child, async () => {
        const collection = collectionOf(child, child.metadata.namespace);
        // What appeared meanwhile is not taken from whoever made it.
        const isForced = resourceVersion !== undefined;
        if (!isForced && isWithoutConflict(child)) return createChild(config, collection, child);
        const metadata = { ...child.metadata, ...(isForced ? { resourceVersion } : {}) };
        const path = `${collection}/${metadata.name}`;
        await apply(config, path, { ...child, metadata }, { isForced, isStrict: true });
        return DONE;
      }),
    deleteChild: ({ apiVersion, kind, name, uid }, namespace) => {
      const child = { apiVersion, kind, metadata: { name } };
      const preconditions = { uid };
      const body = { apiVersion: "v1", kind: "DeleteOptions", preconditions };
      return told(child, async () => {
        await requestApi(config, {
          ...{ method: "DELETE", path: `${collectionOf(child, namespace)}/${name}` },
          body: { ...body, propagationPolicy: "Background" },
        });
        return DONE;
      });
    },
    patchStatus: ({ metadata }, status) => {
      const { name, namespace, resourceVersion } = metadata;
      const body = {
        ...{ apiVersion: API_VERSION, kind: KIND, status },
        metadata: { name, namespace, resourceVersion },
      };
      const path = `${collectionPath(API_VERSION, PLURAL, namespace)}/${name}/status`;
      return told(body, async () => {
        await apply(config, path, body, { isForced: true, isStrict: false });
        return DONE;
      });
    },
  };
}

/** @param namespace every child has one */
function collectionOf(child: { apiVersion: string; kind: string }, namespace = "default"): string {
  const { apiVersion, kind } = child;
  return collectionPath(apiVersion, pluralOf(apiVersion, kind), namespace);
}
