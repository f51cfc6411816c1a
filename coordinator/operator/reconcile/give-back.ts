import type { Action } from "./actions.ts";
import { type Agents, SUSPEND_SAID } from "./agents.ts";
import { annotated } from "./applied-mark.ts";
import type { ObservedObject } from "./observation.ts";
import { ownFields } from "./own-fields.ts";

/**
 * Gives the nodes back without a plan: the pods' job is suspended, with all else that the
 * operator said of it said again, or deleted where others could start it at any time.
 */
export function givenBack({ object, startedBy, isSuspended }: Agents): Action[] {
  const own = ownFields(object);
  if (startedBy !== "moestro" || own.spec === undefined) {
    return [{ kind: "deleteChild", child: referenceOf(object) }];
  }
  if (isSuspended) return [];
  const { apiVersion, kind, metadata } = object;
  const said = {
    ...{ ...own, apiVersion, kind },
    metadata: { ...(own.metadata ?? {}), name: metadata.name, namespace: metadata.namespace ?? "" },
    spec: { ...own.spec, suspend: true },
  };
  const child = annotated(said, { [SUSPEND_SAID]: "true" });
  return [{ kind: "applyChild", child, resourceVersion: metadata.resourceVersion }];
}

export function referenceOf({ apiVersion, kind, metadata }: ObservedObject) {
  return { apiVersion, kind, name: metadata.name, uid: metadata.uid };
}
