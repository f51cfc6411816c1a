import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { jobWith, runWith, START_MS, seenOf } from "./job-fixture.ts";
import type { Condition, ConditionType } from "./job-status.ts";
import { cluster, condition, podWith, statusIn } from "./looks-fixture.ts";
import type { Observation } from "./observation.ts";
import { reconcile } from "./reconcile.ts";

describe("the status that a look writes", () => {
  it("writes nothing because of a condition that others keep in its status", () => {
    const job = jobWith();
    const { look } = cluster(job);
    const run = runWith({ state: "running", numRanks: 4 });
    look();
    look({ run });
    const theirs = { ...job.status?.conditions?.[0], type: "Theirs" } as unknown as Condition;
    job.status = { ...job.status, conditions: [theirs, ...(job.status?.conditions ?? [])] };
    assert.deepEqual(look({ run }).actions, []);
  });

  it("writes the summary every ten seconds at most", () => {
    const job = jobWith();
    const { look } = cluster(job);
    const at = (step: number) => runWith({ state: "running", numRanks: 4, step, loss: 2 });
    look();
    look({ run: at(1) });
    const soon = { statusAtMs: START_MS, nowMs: START_MS + 4_000 };
    assert.deepEqual(look({ run: at(2), ...soon }), { actions: [], lookAgainMs: 6_000 });
    const { actions } = look({ run: at(2), ...soon, nowMs: START_MS + 10_000 });
    assert.equal(statusIn(actions)?.summary?.step, 2);
  });

  it("says why pods do not run", () => {
    const waiting = { reason: "ImagePullBackOff", message: "Back-off" };
    const image = { containerStatuses: [{ image: "x:1", state: { waiting } }] };
    const gone = { type: "DisruptionTarget", status: "True", reason: "EvictionByEvictionAPI" };
    const run = runWith({ state: "recovering", restarts: 3, countedRestarts: 1 });
    const cases: [Partial<Observation>, ConditionType, string][] = [
      [{ pods: [podWith(image)] }, "Running", "ImagePullFailed"],
      [{ pods: [podWith({ conditions: [gone] })], run }, "Recovering", "PodEvicted"],
      [
        { warnings: ['Error: pods "x" is forbidden: exceeded quota: gpus'] },
        "Running",
        "QuotaExceeded",
      ],
      [
        { warnings: ['Error creating: pods "x" is forbidden: violates PodSecurity "restricted"'] },
        "Running",
        "PodsRefused",
      ],
    ];
    for (const [more, type, reason] of cases) {
      const { look } = cluster(jobWith());
      look();
      const { actions } = look(more);
      assert.equal(condition(actions, type).reason, reason);
      if (more.run !== undefined) assert.equal(statusIn(actions)?.restartsCounted, 1);
    }
    const message = "jobs.batch is forbidden: exceeded quota: jobs";
    const refusals = [{ kind: "Job", name: "tiny-agents", message }];
    const { actions } = reconcile(seenOf(jobWith(), { refusals }));
    assert.equal(condition(actions, "Admitted").reason, "QuotaExceeded");
  });
});
