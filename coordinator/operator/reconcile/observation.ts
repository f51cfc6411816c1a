import type { KubernetesObject } from "../../kubernetes/children/kubernetes-object.ts";
import type { ChildrenOptions } from "../../kubernetes/children/options.ts";
import type { MoETrainingJobSpec } from "../../kubernetes/moe-training-job.ts";
import type { RunState } from "../../run/run-state.ts";
import type { JobStatus } from "./job-status.ts";

/** An object as the API server has it. */
export type ObservedObject = KubernetesObject & {
  metadata: KubernetesObject["metadata"] & {
    uid: string;
    resourceVersion: string;
    deletionTimestamp?: string;
    managedFields?: ManagedFields[];
  };
  status?: Record<string, unknown>;
};

export interface ManagedFields {
  manager: string;
  operation: string;
  subresource?: string;
  fieldsV1?: Record<string, unknown>;
}

/** A MoETrainingJob as the API server has it; its spec is judged before it is believed. */
export interface ObservedJob {
  metadata: {
    name: string;
    namespace: string;
    uid: string;
    generation: number;
    resourceVersion: string;
    deletionTimestamp?: string;
  };
  spec: Record<string, unknown>;
  status?: JobStatus;
}

/** What the coordinator makes of a spec. */
export type Verdict =
  | {
      kind: "planned";
      /** Checked, with defaults. */
      spec: MoETrainingJobSpec;
      /** As people may read it: JSON. */
      plan: string;
      /** The resolved job as JSON, as runs are submitted. */
      jobJson: string;
    }
  /** In the words that the CLI has for it, one line a mistake. */
  | { kind: "refused"; code: string; lines: readonly string[] }
  /** Of a job that is over: nothing comes of its spec any more. */
  | { kind: "notNeeded" };

/** A run as the coordinator has it. */
export interface ObservedRun {
  state: RunState;
  /** One sentence: why it is in this state. */
  reason: string;
  step: number;
  totalSteps: number;
  generation: number;
  restarts: number;
  countedRestarts: number;
  /** Ranks it has now, and may have. */
  numRanks: number;
  minRanks: number;
  maxRanks: number;
  layout: string;
  loss?: number | undefined;
  dropRate?: number | undefined;
  etaMs?: number | undefined;
  /** 0..1 */
  mfu?: number | undefined;
}

/** A write that the API server refused, as it said it: a quota, an admission policy. */
export interface Refusal {
  kind: string;
  name: string;
  message: string;
}

/** All that one look at a job sees. */
export interface Observation {
  nowMs: number;
  job: ObservedJob;
  verdict: Verdict;
  /** Found by the job's uid as their owner. */
  children: readonly ObservedObject[];
  /** Of the agents. */
  pods: readonly ObservedObject[];
  /** Messages of Warning events about the agents' job; none where they may not be read. */
  warnings: readonly string[];
  /** Undefined while none was submitted. */
  run: ObservedRun | undefined;
  /** Of the last look's writes. */
  refusals: readonly Refusal[];
  /** When this operator last wrote the status; undefined if it did not since its start. */
  statusAtMs: number | undefined;
  installation: ChildrenOptions;
}
