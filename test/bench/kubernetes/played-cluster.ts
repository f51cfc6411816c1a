// An API server that is played, in a process of its own: what it costs is not the operator's.
// Says where it is to the process that started it, and answers it.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import type { Json } from "../../kubernetes/json.ts";
import { startCluster } from "../../kubernetes/start.ts";

/** What may be asked of it, and what it answers. */
export type Question = { kind: "reset" } | { kind: "count" } | { kind: "end" };
export type Answer =
  | { kind: "ready"; kubeconfig: string; url: string; authority: string; token: string }
  /** Requests since the last reset, by verb and resource. */
  | { kind: "count"; requests: [string, number][]; numAgentsJobs: number };

const CRD = fileURLToPath(new URL("../../../k8s/base/crd.yaml", import.meta.url));
const DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

const kube = await startCluster();
await kube.request("POST", DEFINITIONS, parse(readFileSync(CRD, "utf8")) as Json);
const answer = (told: Answer) => process.send?.(told);
process.on("message", (question: Question) => {
  if (question.kind === "reset") kube.faults.resetCounts();
  else if (question.kind === "end") void kube.close().then(() => process.exit());
  else {
    const jobs = kube.cluster.storage.list({ group: "batch", plural: "jobs" });
    answer({
      ...{ kind: "count", requests: [...kube.faults.numRequests] },
      numAgentsJobs: jobs.length,
    });
  }
});
process.on("disconnect", () => void kube.close().then(() => process.exit()));
const { kubeconfig, url, authority, token } = kube;
answer({ kind: "ready", kubeconfig, url, authority, token });
