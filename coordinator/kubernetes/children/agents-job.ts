import { EXIT_CODES } from "../../errors.ts";
import type { MoETrainingJob } from "../moe-training-job.ts";
import { AGENT_CONTAINER } from "./agent-container.ts";
import { agentsName, childOf } from "./identity.ts";
import type { KubernetesObject } from "./kubernetes-object.ts";
import type { ChildrenOptions, JobFacts } from "./options.ts";
import { podTemplate } from "./pod-template.ts";

const QUEUE_LABEL = "kueue.x-k8s.io/queue-name";
const REPLICATED_JOB = "agents";
/** Whether there is another attempt the coordinator decides, not the Job. */
const MANY = 2_147_483_647;

/** What makes the pods: an Indexed Job, or a JobSet of one. */
export function agentsJob(
  job: MoETrainingJob,
  facts: JobFacts,
  options: ChildrenOptions,
): KubernetesObject {
  const { childKind, queueName, ttlSecondsAfterFinished } = job.spec;
  const labels: Record<string, string> =
    queueName === undefined ? {} : { [QUEUE_LABEL]: queueName };
  const shell = {
    ...suspendOf(job, facts),
    ...(ttlSecondsAfterFinished === undefined ? {} : { ttlSecondsAfterFinished }),
  };
  const spec = jobSpec(job, facts, options);
  if (childKind === "Job") {
    const child = { apiVersion: "batch/v1", kind: "Job", name: agentsName(job), labels };
    return childOf(job, child, { spec: { ...shell, ...spec } });
  }
  const child = {
    apiVersion: "jobset.x-k8s.io/v1alpha2",
    ...{ kind: "JobSet", name: job.metadata.name, labels },
  };
  return childOf(job, child, {
    spec: {
      ...shell,
      // The job's own service gives the names.
      network: { enableDNSHostnames: false },
      failurePolicy: { maxRestarts: 0 },
      replicatedJobs: [{ name: REPLICATED_JOB, replicas: 1, template: { spec } }],
    },
  });
}

/**
 * Where a queue admits the job it is made suspended, and from then on only the queue says when
 * it goes on; that the person wants it suspended holds always.
 */
function suspendOf({ spec }: MoETrainingJob, { isBorn }: JobFacts): { suspend?: boolean } {
  if (spec.suspend) return { suspend: true };
  if (spec.queueName === undefined) return { suspend: false };
  return isBorn ? {} : { suspend: true };
}

function jobSpec(job: MoETrainingJob, facts: JobFacts, options: ChildrenOptions) {
  const { nodes, activeDeadlineSeconds } = job.spec;
  const numPods = facts.nodes ?? nodes.max;
  return {
    completionMode: "Indexed",
    completions: numPods,
    parallelism: numPods,
    backoffLimit: MANY,
    // A pod that is ending still holds its node.
    podReplacementPolicy: "Failed",
    podFailurePolicy: {
      rules: [
        {
          action: "Ignore",
          onPodConditions: [{ type: "DisruptionTarget", status: "True" }],
        },
        {
          // What it was told is wrong, and stays so.
          action: "FailJob",
          onExitCodes: {
            ...{ containerName: AGENT_CONTAINER, operator: "In" },
            values: [EXIT_CODES.invalid_input],
          },
        },
      ],
    },
    ...(activeDeadlineSeconds === undefined ? {} : { activeDeadlineSeconds }),
    template: podTemplate(job, options),
  };
}
