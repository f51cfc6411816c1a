import { ApisApi, type KubeConfig } from "@kubernetes/client-node";

/** Whether the cluster knows JobSets. */
export async function hasJobSets(config: KubeConfig): Promise<boolean> {
  const { groups } = await config.makeApiClient(ApisApi).getAPIVersions();
  return groups.some(({ name }) => name === "jobset.x-k8s.io");
}
