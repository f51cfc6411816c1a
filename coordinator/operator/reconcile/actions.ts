import type { KubernetesObject } from "../../kubernetes/children/kubernetes-object.ts";
import type { JobStatus } from "./job-status.ts";

/** The name that the operator applies under: it owns what it said, and nothing else. */
export const FIELD_MANAGER = "moestro-operator";

/** What one look at a job asks to be done, in this order. */
export type Action =
  /** Server-side apply; refused by the API server if the object is not the one that was seen. */
  | { kind: "applyChild"; child: KubernetesObject; resourceVersion?: string }
  | { kind: "deleteChild"; child: ChildReference }
  | {
      kind: "submitRun";
      runId: string;
      jobJson: string;
      minRanks: number;
      maxRanks: number;
      maxRestarts: number;
    }
  | { kind: "suspendRun" | "resumeRun" | "cancelRun"; runId: string }
  | { kind: "scaleRun"; runId: string; minRanks: number; maxRanks: number }
  /** At most one, and last. Server-side apply to the status of the job that was seen. */
  | { kind: "patchStatus"; status: JobStatus; resourceVersion: string };

/** Of the one that was seen, not of another of its name. */
export interface ChildReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
}
