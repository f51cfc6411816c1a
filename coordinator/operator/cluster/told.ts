import { ApiException } from "@kubernetes/client-node";
import type { Refusal } from "../reconcile/observation.ts";
import { messageOf } from "./why-of.ts";

/**
 * How a write ended: as asked; not, because the cluster is not as it was seen, so look again;
 * or refused as it is. Whatever else goes wrong is thrown, and may be tried again.
 */
export type Written = { kind: "done" } | { kind: "changed" } | { kind: "refused"; by: Refusal };

const REFUSALS = [400, 403, 422];
/** How server-side apply says that an object does not fit its schema: with 500, of all codes. */
const MISFIT = /failed to create typed patch object|field not declared in schema/;

/** Whom a write is about, as refusals name it. */
interface About {
  apiVersion: string;
  kind: string;
  metadata: { name: string };
}

/** @throws whatever is no answer to the write itself */
export async function told(
  { apiVersion, kind, metadata: { name } }: About,
  write: () => Promise<Written>,
): Promise<Written> {
  try {
    return await write();
  } catch (error) {
    if (!(error instanceof ApiException)) throw error;
    const { code } = error;
    const message = messageOf(error);
    const refused: Written = { kind: "refused", by: { kind, name, message } };
    const { causes, name: missing } = detailsOf(error);
    if (code === 409) {
      // Something of this name is there that others have made.
      const isOthers = causes?.some(({ reason }) => reason === "FieldManagerConflict");
      return isOthers === true ? refused : { kind: "changed" };
    }
    if (code === 404) {
      if (missing !== undefined) return { kind: "changed" };
      // Not the object is missing, but where it would be.
      const by = { kind, name, message: `the cluster has no ${kind} of ${apiVersion}` };
      return { kind: "refused", by };
    }
    if (REFUSALS.includes(code) || (code === 500 && MISFIT.test(message))) return refused;
    throw error;
  }
}

interface Details {
  name?: string;
  causes?: readonly { reason?: string }[];
}

function detailsOf({ body }: ApiException<unknown>): Details {
  return (body as { details?: Details } | null)?.details ?? {};
}
