import type { MoETrainingJob } from "../moe-training-job.ts";
import { agentsJob } from "./agents-job.ts";
import type { KubernetesObject } from "./kubernetes-object.ts";
import type { ChildrenOptions, JobFacts } from "./options.ts";
import {
  disruptionBudget,
  headlessService,
  networkPolicy,
  planSnapshot,
  serviceAccount,
} from "./surroundings.ts";

/**
 * Everything that a MoETrainingJob has in the cluster, in the order it is to be made: pods come
 * last, when all that they need and all that holds them back is there. Pure.
 *
 * @param job with a spec that `jobOfSpec` has read
 */
export function childrenOf(
  job: MoETrainingJob,
  facts: JobFacts,
  options: ChildrenOptions,
): KubernetesObject[] {
  return [
    serviceAccount(job),
    networkPolicy(job, options),
    headlessService(job),
    planSnapshot(job, facts),
    disruptionBudget(job, facts.nodesOfRun ?? facts.nodes ?? job.spec.nodes.max),
    agentsJob(job, facts, options),
  ];
}
