import { z } from "zod";
import type { JsonSchema } from "../../spec/json-schema.ts";
import { whole } from "../../spec/sections/numbers.ts";
import { MAX_NODES, MAX_RANKS_PER_NODE } from "../names.ts";

const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

const subdomain = () => z.string().min(1).max(253).regex(DNS_SUBDOMAIN);

/** What a MoETrainingJob says beside the job file's sections. */
export const kubernetesSection = z.strictObject({
  nodes: z
    .strictObject({
      min: whole(1, MAX_NODES)
        .optional()
        .describe("Fewest nodes it may go on with. Default: nodes.max, so that it waits for all."),
      max: whole(1, MAX_NODES).default(1).describe("Nodes, one pod each; kubectl scale sets it."),
    })
    .prefault({})
    .describe("How many nodes the job has."),
  gpusPerNode: whole(1, MAX_RANKS_PER_NODE).describe(
    "Ranks of a node: its GPUs, or processes where cluster.device is cpu.",
  ),
  template: z
    .looseObject({})
    .optional()
    .describe(
      "Patch of the agents' pod template (metadata and spec). Mappings are merged; containers, volumes, env and the like by name; other lists are replaced; null removes.",
    ),
  suspend: z
    .boolean()
    .default(false)
    .describe("Checkpoint and give the nodes back until this is false again."),
  priorityClassName: subdomain().optional().describe("Priority class of the pods."),
  ttlSecondsAfterFinished: whole(0)
    .optional()
    .describe("Seconds until the pods' job is deleted once it is over. Default: never."),
  activeDeadlineSeconds: whole(1)
    .optional()
    .describe("Seconds that its pods may run; after them it fails. Default: no limit."),
  maxRestarts: whole(0)
    .default(10)
    .describe(
      "Restarts for failures of ranks; those for lost, drained or preempted nodes do not count.",
    ),
  queueName: subdomain()
    .max(63)
    .optional()
    .describe("Kueue's local queue: the job is made suspended, and Kueue admits it."),
  managedBy: z
    .string()
    .min(1)
    .max(63)
    .optional()
    .describe("Who carries the job out, if not moestro of this cluster (as a Job's managedBy)."),
  childKind: z
    .enum(["Job", "JobSet"])
    .default("Job")
    .describe("What the pods are made by: an Indexed Job, or a JobSet with one replicated job."),
});

export type KubernetesSection = z.infer<typeof kubernetesSection>;

/** The same as JSON Schema. */
export function kubernetesJsonSchema(): JsonSchema {
  return z.toJSONSchema(kubernetesSection, { io: "input", target: "draft-2020-12" }) as JsonSchema;
}
