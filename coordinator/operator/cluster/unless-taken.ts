import { ApiException, type KubeConfig } from "@kubernetes/client-node";
import { sendRequest } from "../../kubernetes/api-request.ts";
import type { KubernetesObject } from "../../kubernetes/children/kubernetes-object.ts";
import type { ObservedObject } from "../reconcile/observation.ts";
import { isHidden, showAgain } from "./hidden-child.ts";
import type { Written } from "./told.ts";

/**
 * Makes a child. Where that is refused with one of `codes`, as a name that is taken may be: if
 * there is one of the name that is the job's own and does not show, it is made to; any other is
 * left as it is.
 *
 * @throws ApiException where it is refused for something else
 */
export async function unlessTaken(
  config: KubeConfig,
  child: KubernetesObject,
  { path, codes, make }: { path: string; codes: readonly number[]; make: () => Promise<unknown> },
): Promise<Written> {
  try {
    await make();
    return { kind: "done" };
  } catch (error) {
    if (!(error instanceof ApiException && codes.includes(error.code))) throw error;
    const { code, body } = await sendRequest(config, { method: "GET", path });
    if (code !== 200) throw error;
    const found = body as ObservedObject;
    if (!isHidden(child, found)) return inTheWay(child, found);
    await showAgain(config, path, child, found);
    return { kind: "changed" };
  }
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
