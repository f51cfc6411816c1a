import assert from "node:assert/strict";
import type { KubeObject } from "../../../test/kubernetes/json.ts";
import { JOB_UID, labelsOf } from "../../kubernetes/children/identity.ts";
import type { MoETrainingJob } from "../../kubernetes/moe-training-job.ts";
import { APPLIED } from "./applied-mark.ts";
import { jobWith } from "./job-fixture.ts";
import type { ObservedObject } from "./observation.ts";

type Edit = (live: KubeObject) => void;

/** What a person does to a child beside its spec, where it has such a thing. */
export const DRIFTS = {
  relabel: ({ metadata }) =>
    Object.assign(metadata.labels ?? {}, { "app.kubernetes.io/part-of": "theirs" }),
  unlabel: ({ metadata }) => {
    delete metadata.labels?.["app.kubernetes.io/managed-by"];
  },
  unmark: ({ metadata }) => {
    delete metadata.annotations?.[APPLIED];
    delete metadata.annotations?.[JOB_UID];
  },
  disown: ({ metadata }) => {
    for (const owner of metadata.ownerReferences ?? []) owner.controller = false;
  },
  rewrite: (live) => {
    if (live.kind === "ConfigMap") live.data = { "plan.json": "theirs" };
    if (live.kind === "ServiceAccount") live.automountServiceAccountToken = true;
  },
  empty: (live) => {
    delete live.data;
    delete live.automountServiceAccountToken;
  },
} as const satisfies Record<string, Edit>;
export type Drift = keyof typeof DRIFTS;

/** An admission webhook's, at every write; it leaves what holds pods back. */
export const meddle: Edit = (object) => {
  const { kind, metadata, spec } = object;
  DRIFTS.relabel(object);
  DRIFTS.unlabel(object);
  if (metadata.ownerReferences !== undefined) DRIFTS.rewrite(object);
  if (kind === "PodDisruptionBudget") Object.assign(spec ?? {}, { minAvailable: 0 });
  if (kind === "NetworkPolicy") Object.assign(spec ?? {}, { policyTypes: ["Ingress"] });
  if (kind === "Job") Object.assign(spec ?? {}, { backoffLimit: 3 });
};

/** That a child is as the job says, whatever was done to it. */
export function assertUndrifted(child: ObservedObject): void {
  const { kind, metadata } = child;
  const { name, uid } = jobWith().metadata;
  assert.partialDeepStrictEqual(
    metadata.labels,
    labelsOf({ metadata: { name } } as MoETrainingJob),
  );
  assert.equal(metadata.annotations?.[JOB_UID], uid);
  assert.ok(metadata.ownerReferences?.every(({ controller }) => controller));
  assert.ok(metadata.annotations?.[APPLIED]);
  if (kind === "ConfigMap") assert.deepEqual(child.data, { "plan.json": "{}" });
  if (kind === "ServiceAccount") assert.equal(child.automountServiceAccountToken, false);
}
