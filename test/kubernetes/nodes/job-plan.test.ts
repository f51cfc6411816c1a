import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { KubeObject } from "../json.ts";
import { enter, INDEX, indexOf, isOver, newLedger, rangesOf } from "./job-ledger.ts";
import { planJob } from "./job-plan.ts";

const PHASES = ["Pending", "Running", "Succeeded", "Failed"] as const;
const POD = fc.record({
  index: fc.nat({ max: 4 }),
  phase: fc.constantFrom(...PHASES),
  isGoing: fc.boolean(),
});
const SPEC = fc.record({
  completions: fc.integer({ min: 1, max: 5 }),
  parallelism: fc.nat({ max: 5 }),
  suspend: fc.boolean(),
  podReplacementPolicy: fc.constantFrom("Failed", "TerminatingOrFailed"),
  backoffLimit: fc.constant(1000),
});

function podOf(facts: { index: number; phase: string; isGoing: boolean }, uid: number): KubeObject {
  const going = facts.isGoing ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {};
  return {
    ...{ apiVersion: "v1", kind: "Pod", status: { phase: facts.phase } },
    metadata: {
      name: `p${uid}`,
      uid: String(uid),
      annotations: { [INDEX]: String(facts.index) },
      ...going,
    },
  };
}

test("a job never has more pods than parallelism, none while suspended, and no index twice", () => {
  fc.assert(
    fc.property(SPEC, fc.array(POD, { maxLength: 8 }), (spec, facts) => {
      const job: KubeObject = {
        ...{ apiVersion: "batch/v1", kind: "Job", metadata: { name: "j" } },
        spec: { completionMode: "Indexed", ...spec },
      };
      const pods = facts.map(podOf);
      const ledger = newLedger();
      for (const pod of pods) enter(ledger, job, pod, { isGone: false, nowMs: 0 });
      const plan = planJob(job, pods, ledger, { nowMs: 0, startedMs: 0 });
      const living = pods.filter((pod) => !isOver(pod) && !plan.remove.includes(pod));
      const occupied = living.filter(
        ({ metadata }) =>
          metadata.deletionTimestamp === undefined || spec.podReplacementPolicy === "Failed",
      );
      if (spec.suspend || plan.outcome) assert.deepEqual(plan.create, []);
      if (plan.create.length > 0) {
        assert.ok(occupied.length + plan.create.length <= spec.parallelism);
      }
      for (const index of plan.create) {
        assert.ok(!occupied.some((pod) => indexOf(pod) === index));
        assert.ok(index !== undefined && index < spec.completions && !ledger.completed.has(index));
      }
      assert.equal(new Set(plan.create).size, plan.create.length);
    }),
  );
});

test("a pod is counted once, whatever is seen of it", () => {
  const job: KubeObject = {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name: "j" },
    spec: {},
  };
  const ledger = newLedger();
  const pod = podOf({ index: 0, phase: "Failed", isGoing: false }, 1);
  for (const isGone of [false, false, true]) enter(ledger, job, pod, { isGone, nowMs: 0 });
  assert.equal(ledger.numFailed, 1);
});

test("indexes are written as ranges", () => {
  assert.equal(rangesOf([4, 0, 2, 1]), "0-2,4");
  assert.equal(rangesOf([]), "");
});
