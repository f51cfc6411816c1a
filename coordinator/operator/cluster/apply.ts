import type { KubeConfig } from "@kubernetes/client-node";
import { requestApi } from "../../kubernetes/api-request.ts";
import { FIELD_MANAGER } from "../reconcile/actions.ts";

export interface ApplyOptions {
  /** Whether fields of others are taken over. */
  isForced: boolean;
  /** Whether what the schema does not know is refused; else it is dropped. */
  isStrict: boolean;
}

/** Server-side apply under the operator's name. */
export function apply(
  config: KubeConfig,
  path: string,
  body: object,
  { isForced, isStrict }: ApplyOptions,
): Promise<unknown> {
  return requestApi(config, {
    ...{ method: "PATCH", path, body, contentType: "application/apply-patch+yaml" },
    query: {
      ...{ fieldManager: FIELD_MANAGER, force: String(isForced) },
      fieldValidation: isStrict ? "Strict" : "Warn",
    },
  });
}
