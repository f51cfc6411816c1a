import type { CONDITION_TYPES } from "../../kubernetes/crd/status-schema.ts";

export type ConditionType = (typeof CONDITION_TYPES)[number];

export interface Condition {
  type: ConditionType;
  status: "True" | "False" | "Unknown";
  /** One word for programs. */
  reason: string;
  /** One sentence for people. */
  message: string;
  observedGeneration: number;
  /** RFC 3339, to the second. */
  lastTransitionTime: string;
}

export interface Summary {
  state: string;
  step?: number;
  totalSteps?: number;
  layout?: string;
  loss?: string;
  dropRate?: string;
  etaSeconds?: number;
  mfu?: string;
}

/** `status` of a MoETrainingJob. */
export interface JobStatus {
  conditions?: Condition[];
  observedGeneration?: number;
  executionAttempt?: number;
  restarts?: number;
  restartsCounted?: number;
  nodes?: number;
  selector?: string;
  summary?: Summary;
}

export function isTrue(status: JobStatus | undefined, type: ConditionType): boolean {
  return status?.conditions?.some((one) => one.type === type && one.status === "True") ?? false;
}
