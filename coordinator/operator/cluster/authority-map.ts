import {
  type KubeConfig,
  KubernetesObjectApi,
  PatchStrategy,
  type V1ConfigMap,
} from "@kubernetes/client-node";
import { AUTHORITY_CONFIG_MAP, AUTHORITY_KEY } from "../../kubernetes/children/agent-container.ts";
import { FIELD_MANAGER } from "../reconcile/actions.ts";

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
  const map: V1ConfigMap = {
    ...{ apiVersion: "v1", kind: "ConfigMap" },
    metadata: {
      ...{ name: AUTHORITY_CONFIG_MAP, namespace },
      labels: { "app.kubernetes.io/name": "moestro", "app.kubernetes.io/part-of": "moestro" },
    },
    data: { [AUTHORITY_KEY]: authority },
  };
  const api = KubernetesObjectApi.makeApiClient(config);
  const apply = PatchStrategy.ServerSideApply;
  await api.patch(map, undefined, undefined, FIELD_MANAGER, true, apply);
}
