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
import { SaidAgain } from "./said-again.ts";
import { told, type Written } from "./told.ts";
import { unlessTaken } from "./unless-taken.ts";

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

export function clusterWrites(config: KubeConfig, now: () => number = Date.now): ClusterWrites {
  const events = new EventRecorder(config);
  const said = new SaidAgain(now);
  return {
    recordEvent: (job, event) => events.record(job, event),
    applyChild: (child, resourceVersion) =>
      told(child, async () => {
        const collection = collectionOf(child, child.metadata.namespace);
        if (resourceVersion === undefined) {
          // What appeared meanwhile is not taken from whoever made it.
          return isWithoutConflict(child)
            ? createChild(config, collection, child)
            : applyNew(config, collection, child);
        }
        if (said.isTooSoon(child)) return contested(child);
        const metadata = { ...child.metadata, resourceVersion };
        const path = `${collection}/${metadata.name}`;
        await apply(config, path, { ...child, metadata }, { isForced: true, isStrict: true });
        said.hasSaid(child);
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

/** How a name that is taken is answered; 403 by webhooks, such as JobSet's. */
const TAKEN = [403, 409, 422];

/** @throws ApiException */
function applyNew(
  config: KubeConfig,
  collection: string,
  child: KubernetesObject,
): Promise<Written> {
  const path = `${collection}/${child.metadata.name}`;
  const make = () => apply(config, path, child, { isForced: false, isStrict: true });
  return unlessTaken(config, child, { path, codes: TAKEN, make });
}

function contested({ kind, metadata: { name } }: KubernetesObject): Written {
  const message =
    "others change it whenever it is put right, so that is done less and less often; its managedFields say who";
  return { kind: "refused", by: { kind, name, message } };
}

/** @param namespace every child has one */
function collectionOf(child: { apiVersion: string; kind: string }, namespace = "default"): string {
  const { apiVersion, kind } = child;
  return collectionPath(apiVersion, pluralOf(apiVersion, kind), namespace);
}
