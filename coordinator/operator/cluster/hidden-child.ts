import type { KubeConfig } from "@kubernetes/client-node";
import { requestApi } from "../../kubernetes/api-request.ts";
import { JOB_LABEL, JOB_UID } from "../../kubernetes/children/identity.ts";
import type { KubernetesObject } from "../../kubernetes/children/kubernetes-object.ts";
import { FIELD_MANAGER } from "../reconcile/actions.ts";
import type { ObservedObject } from "../reconcile/observation.ts";

/**
 * Whether it is the job's own, and does not show: somebody took the label that the watches go by,
 * or the owner. One that has neither is known by who made it, and for which job: one that an
 * earlier job of this name left behind has that job's folder in its pods.
 *
 * @param found of the child's kind and name
 */
export function isHidden(child: KubernetesObject, { metadata }: ObservedObject): boolean {
  const { ownerReferences: owners = [], labels, deletionTimestamp } = metadata;
  if (deletionTimestamp !== undefined) return false;
  const [owner] = child.metadata.ownerReferences ?? [];
  if (owners.some(({ uid }) => uid === owner?.uid)) return labels?.[JOB_LABEL] === undefined;
  return !owners.some(({ controller }) => controller) && wasMadeFor(child, metadata);
}

function wasMadeFor(
  child: KubernetesObject,
  { annotations, managedFields }: ObservedObject["metadata"],
): boolean {
  const uid = child.metadata.annotations?.[JOB_UID];
  const isOurs = managedFields?.some(({ manager }) => manager === FIELD_MANAGER) === true;
  return isOurs && uid !== undefined && annotations?.[JOB_UID] === uid;
}

/**
 * Gives it label and owner back, and nothing else: what others have made of it meanwhile is not
 * known before it is seen.
 *
 * @throws ApiException
 */
export async function showAgain(
  config: KubeConfig,
  path: string,
  child: KubernetesObject,
  found: ObservedObject,
): Promise<void> {
  const { ownerReferences: ours = [], labels } = child.metadata;
  const { ownerReferences: owners = [], resourceVersion } = found.metadata;
  const others = owners.filter(({ uid }) => ours.every((owner) => owner.uid !== uid));
  const metadata = {
    resourceVersion,
    labels: { [JOB_LABEL]: labels?.[JOB_LABEL] },
    ownerReferences: [...others, ...ours],
  };
  await requestApi(config, {
    ...{ method: "PATCH", path, body: { metadata }, query: { fieldManager: FIELD_MANAGER } },
    contentType: "application/merge-patch+json",
  });
}
