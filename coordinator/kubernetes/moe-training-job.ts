import type { KubernetesSection } from "./crd/kubernetes-section.ts";

/** `spec`: what only Kubernetes has, checked, beside the job's sections as they are written. */
export type MoETrainingJobSpec = KubernetesSection & Record<string, unknown>;

/** The part of a MoETrainingJob that children are made from. */
export interface MoETrainingJob {
  metadata: {
    name: string;
    namespace?: string | undefined;
    /** Given by the API server; children of a job without one have no owner. */
    uid?: string | undefined;
  };
  spec: MoETrainingJobSpec;
}
