import type { KubeConfig } from "@kubernetes/client-node";
import { requestApi } from "../../kubernetes/api-request.ts";
import { JOB_SETS } from "./child-kinds.ts";

const [GROUP, VERSION] = JOB_SETS.apiVersion.split("/");

interface Groups {
  groups: readonly { name: string; versions: readonly { version: string }[] }[];
}

/** Why there can be no JobSets in the version that the operator makes; undefined if there can. */
export async function whyNoJobSets(config: KubeConfig): Promise<string | undefined> {
  const { groups } = (await requestApi(config, { method: "GET", path: "/apis" })) as Groups;
  const versions = groups.find(({ name }) => name === GROUP)?.versions.map((one) => one.version);
  if (versions === undefined) return "this cluster has no JobSets; install JobSet";
  if (versions.includes(VERSION ?? "")) return undefined;
  return `this cluster has JobSets of ${versions.join(", ")}, not ${VERSION}; install a JobSet that serves it`;
}
