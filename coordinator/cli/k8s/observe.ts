import { MoestroError } from "../../errors.ts";
import { childrenOf } from "../../kubernetes/children/children-of.ts";
import { JOB_LABEL } from "../../kubernetes/children/identity.ts";
import { CHILDREN_OPTIONS } from "../../kubernetes/children/options.ts";
import type { MoETrainingJob } from "../../kubernetes/moe-training-job.ts";
import { API_VERSION, KIND } from "../../kubernetes/names.ts";
import { NO_UID } from "../../kubernetes/run-id.ts";
import type {
  Observation,
  ObservedJob,
  ObservedObject,
  Verdict,
} from "../../operator/reconcile/observation.ts";
import type { ClusterReads } from "./cluster-reads.ts";
import { installationSeen } from "./installation-seen.ts";

/**
 * What the operator would see of a job, were it applied now: its spec, beside what the cluster
 * has of it. Of its run only the coordinator knows, so it is seen as one that holds no nodes.
 *
 * @param namespace the job's
 * @throws MoestroError `environment` if the cluster has no MoETrainingJobs, or does not answer
 */
export async function observe(
  cluster: ClusterReads,
  { metadata, spec }: MoETrainingJob,
  namespace: string,
  verdict: Verdict & { kind: "planned" },
): Promise<Observation> {
  const { name } = metadata;
  const own = { apiVersion: API_VERSION, kind: KIND };
  if (!(await cluster.has(own))) {
    throw new MoestroError(
      "environment",
      `${cluster.server}: has no ${KIND}s; install moestro there: kubectl apply --server-side -k k8s/`,
    );
  }
  const live = (await cluster.read(own, name)) as (ObservedJob & ObservedObject) | undefined;
  const uid = live?.metadata.uid ?? NO_UID;
  const job: ObservedJob = {
    metadata: live?.metadata ?? { name, namespace, uid, generation: 1, resourceVersion: "" },
    spec,
    ...(live?.status === undefined ? {} : { status: live.status }),
  };
  const facts = { plan: verdict.plan, isBorn: false };
  const named = childrenOf({ metadata, spec }, facts, CHILDREN_OPTIONS);
  const found = await Promise.all(named.map((child) => cluster.read(child, child.metadata.name)));
  const children = found.filter(
    (child) => child?.metadata.ownerReferences?.some((owner) => owner.uid === uid) === true,
  ) as ObservedObject[];
  return {
    ...{ nowMs: Date.now(), job, verdict, children },
    pods: await cluster.list({ apiVersion: "v1", kind: "Pod" }, `${JOB_LABEL}=${name}`),
    ...{ run: undefined, warnings: [], refusals: [], statusAtMs: undefined },
    installation: installationSeen(children, CHILDREN_OPTIONS),
  };
}
