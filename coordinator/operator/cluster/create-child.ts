import type { KubeConfig } from "@kubernetes/client-node";
import { requestApi } from "../../kubernetes/api-request.ts";
import type { KubernetesObject } from "../../kubernetes/children/kubernetes-object.ts";
import { FIELD_MANAGER } from "../reconcile/actions.ts";
import type { Written } from "./told.ts";
import { unlessTaken } from "./unless-taken.ts";

/**
 * Kinds of which there may be one that says nothing that a child says too: an apply that is not
 * forced would not be refused, and take it from whoever made it. Others conflict in what every
 * object of their kind has. What is created is owned by an update and by the applies that follow,
 * so that no field of it can be taken back: these kinds have none to take back.
 */
const WITHOUT_CONFLICT: readonly string[] = ["ServiceAccount", "ConfigMap"];

export function isWithoutConflict({ kind }: KubernetesObject): boolean {
  return WITHOUT_CONFLICT.includes(kind);
}

/** @throws ApiException */
export function createChild(
  config: KubeConfig,
  collection: string,
  child: KubernetesObject,
): Promise<Written> {
  const query = { fieldManager: FIELD_MANAGER, fieldValidation: "Strict" };
  return unlessTaken(config, child, {
    path: `${collection}/${child.metadata.name}`,
    codes: [409],
    make: () => requestApi(config, { method: "POST", path: collection, query, body: child }),
  });
}
