import type { KubeConfig } from "@kubernetes/client-node";
import { collectionPath } from "../../kubernetes/api-request.ts";
import { AUTHORITY_CONFIG_MAP, AUTHORITY_KEY } from "../../kubernetes/children/agent-container.ts";
import { apply } from "./apply.ts";

/**
 * Writes the certificate of the coordinators' authority where agents' pods mount it from, so
 * that they know whom they join. It is no secret, and the same for all jobs of a namespace.
 *
 * @param authority PEM
 */
export async function publishAuthority(
  config: KubeConfig,
  namespace: string,
  authority: string,
): Promise<void> {
  const map = {
    ...{ apiVersion: "v1", kind: "ConfigMap" },
    metadata: {
      ...{ name: AUTHORITY_CONFIG_MAP, namespace },
      labels: { "app.kubernetes.io/name": "moestro", "app.kubernetes.io/part-of": "moestro" },
    },
    data: { [AUTHORITY_KEY]: authority },
  };
  const path = `${collectionPath("v1", "configmaps", namespace)}/${AUTHORITY_CONFIG_MAP}`;
  await apply(config, path, map, { isForced: true, isStrict: true });
}
