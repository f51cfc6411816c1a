import { CHILDREN_OPTIONS } from "../../kubernetes/children/options.ts";
import { kubernetesSection } from "../../kubernetes/crd/kubernetes-section.ts";
import { fixtureSpec } from "../../kubernetes/crd/spec-fixture.ts";
import type { Observation, ObservedJob, ObservedRun, Verdict } from "./observation.ts";

export const START_MS = Date.parse("2026-01-01T00:00:00Z");
export const UNPLANNABLE_NODES = 3;
/** What the coordinator of the tests has against some specs. */
export const REFUSED_LINE = "spec.nodes.max: no layout fits 3 nodes; use 1, 2 or 4";

/** A verdict as the coordinator's, without planning: three nodes fit no layout. */
export function verdictOf(own: Record<string, unknown>): Verdict {
  const { model, data, training, moe, layout, cluster, ...given } = fixtureSpec(own);
  const section = kubernetesSection.parse(given);
  if (section.nodes.max === UNPLANNABLE_NODES) {
    return { kind: "refused", code: "no_plan", lines: [REFUSED_LINE] };
  }
  const spec = { model, data, training, moe, layout, cluster, ...section };
  return { kind: "planned", spec, plan: "{}", jobJson: "{}" };
}

export function jobWith(own: Record<string, unknown> = {}): ObservedJob {
  const names = { name: "tiny", namespace: "research", uid: "0f9c" };
  return { metadata: { ...names, generation: 1, resourceVersion: "1" }, spec: fixtureSpec(own) };
}

export function seenOf(job: ObservedJob, more: Partial<Observation> = {}): Observation {
  const { verdict = verdictOf(job.spec) } = more;
  return {
    ...{ nowMs: START_MS, job, verdict, children: [], pods: [] },
    ...{ warnings: [], run: undefined, refusals: [], statusAtMs: undefined },
    installation: CHILDREN_OPTIONS,
    ...more,
  };
}

export function runWith(more: Partial<ObservedRun> = {}): ObservedRun {
  return {
    ...{ state: "queued", reason: "waits for slots", step: 0, totalSteps: 240, generation: 0 },
    ...{
      restarts: 0,
      countedRestarts: 0,
      numRanks: 0,
      minRanks: more.maxRanks ?? 4,
      maxRanks: 4,
      layout: "",
    },
    ...more,
  };
}
