import { kubernetesSection } from "../../kubernetes/crd/kubernetes-section.ts";
import type { ObservedJob } from "./observation.ts";

/** What holds of a spec also while it is refused, or need not be judged any more. */
export interface HeldSpec {
  suspend?: boolean | undefined;
  queueName?: string | undefined;
  ttlSecondsAfterFinished?: number | undefined;
}

const SECTION = kubernetesSection
  .pick({ suspend: true, queueName: true, ttlSecondsAfterFinished: true })
  .strip();

export function heldSpec({ spec }: ObservedJob): HeldSpec {
  const { success, data } = SECTION.safeParse(spec);
  return success ? data : { suspend: spec.suspend === true };
}
