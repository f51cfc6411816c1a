import type { KubeConfig } from "@kubernetes/client-node";
import { sendRequest } from "../../kubernetes/api-request.ts";
import type { KubernetesObject } from "../../kubernetes/children/kubernetes-object.ts";
import type { ObservedObject } from "../reconcile/observation.ts";
import { isHidden, showAgain } from "./hidden-child.ts";
import type { Written } from "./told.ts";

/**
 * What becomes of a child that cannot be made: if there is one of its name that is the job's own
 * and does not show, it is made to; any other is left as it is. Undefined if there is none.
 *
 * @throws ApiException
 */
export async function takenName(
  config: KubeConfig,
  path: string,
  child: KubernetesObject,
): Promise<Written | undefined> {
  const { code, body } = await sendRequest(config, { method: "GET", path });
  if (code !== 200) return undefined;
  const found = body as ObservedObject;
  if (!isHidden(child, found)) return inTheWay(child, found);
  await showAgain(config, path, child, found);
  return { kind: "changed" };
}

function inTheWay({ kind, metadata }: KubernetesObject, found: ObservedObject): Written {
  const { ownerReferences: owners = [], deletionTimestamp } = found.metadata;
  const [owner] = metadata.ownerReferences ?? [];
  // The watch is behind, or what an earlier job of this name left behind is on its way out.
  const isOurs = owners.some((one) => one.kind === owner?.kind && one.name === owner.name);
  if (isOurs || deletionTimestamp !== undefined) return { kind: "changed" };
  const message =
    "there is one that is not this job's; rename it or delete it, or give the job another name";
  return { kind: "refused", by: { kind, name: metadata.name, message } };
}
