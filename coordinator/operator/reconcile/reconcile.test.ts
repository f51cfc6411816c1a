import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { JOB_UID } from "../../kubernetes/children/identity.ts";
import type { Action } from "./actions.ts";
import { jobWith, REFUSED_LINE, runWith, START_MS, seenOf } from "./job-fixture.ts";
import { cluster, condition, kinds, type Own, statusIn } from "./looks-fixture.ts";
import { CONTROLLER, reconcile } from "./reconcile.ts";

describe("one look at a job", () => {
  it("makes its children, then submits it when its pods may start, and says so once", () => {
    const { look } = cluster(jobWith());
    const first = look().actions;
    assert.deepEqual(kinds(first), Array(6).fill("applyChild"));
    const second = look().actions;
    assert.deepEqual(kinds(second), ["submitRun", "patchStatus"]);
    assert.equal(condition(second, "Admitted").status, "True");
    assert.equal(statusIn(second)?.executionAttempt, 1);
    const run = runWith({ state: "running", layout: "tp 2 pp 2", numRanks: 4 });
    assert.equal(condition(look({ run }).actions, "Running").status, "True");
    assert.deepEqual(look({ run }), { actions: [], lookAgainMs: undefined });
  });

  it("leaves a job alone that another controller manages, or that is being deleted", () => {
    const seen = [
      seenOf(jobWith({ managedBy: "kueue.x-k8s.io/multikueue" })),
      seenOf({
        ...jobWith(),
        metadata: { ...jobWith().metadata, deletionTimestamp: "2026-01-01T00:00:00Z" },
      }),
    ];
    for (const each of seen) assert.deepEqual(reconcile(each), { actions: [] });
    const own = reconcile(seenOf(jobWith({ managedBy: CONTROLLER })));
    assert.ok(own.actions.length > 0);
  });

  it("fails a job that the coordinator refuses, in its words, until its spec is better", () => {
    const job = jobWith({ nodes: { max: 3 } });
    const { look } = cluster(job);
    const { actions } = look();
    assert.deepEqual(kinds(actions), ["patchStatus"]);
    const { status, reason, message } = condition(actions, "Failed");
    assert.deepEqual([status, reason, message], ["True", "NoPlan", REFUSED_LINE]);
    assert.match(
      condition(actions, "Admitted").message,
      /Correct it with kubectl apply; .* delete/,
    );
    assert.equal(statusIn(actions)?.summary?.state, "refused");
    assert.deepEqual(look().actions, []);
    job.spec = { ...job.spec, nodes: { max: 2 } };
    look();
    const better = look().actions;
    assert.equal(condition(better, "Failed").status, "False");
    assert.equal(statusIn(better)?.summary?.state, "pending");
  });

  it("does not end a run whose new size is refused", () => {
    const job = jobWith();
    const { look } = cluster(job);
    const run = runWith({ state: "running", numRanks: 4 });
    look();
    look({ run });
    job.spec = { ...job.spec, nodes: { max: 3 } };
    const { actions } = look({ run });
    assert.deepEqual(kinds(actions), ["patchStatus"]);
    assert.equal(condition(actions, "Planned").status, "False");
    assert.equal(condition(actions, "Failed").status, "False");
  });

  it("gives the nodes of a run back also while its new size is refused", () => {
    for (const own of [{}, { queueName: "research" }]) {
      const job = jobWith(own);
      const { look, agents, cluster: server } = cluster(job);
      const run = runWith({ state: "running", numRanks: 4 });
      look();
      if (own.queueName !== undefined) {
        server.edit(agents(), "kueue", ({ spec }) => Object.assign(spec ?? {}, { suspend: false }));
      }
      look({ run });
      job.spec = { ...job.spec, nodes: { max: 3 }, suspend: true };
      assert.deepEqual(kinds(look({ run }).actions), ["suspendRun", "patchStatus"]);
      const { template, parallelism } = agents().spec;
      look({ run: runWith({ state: "suspended" }) });
      const { actions } = look({ run: runWith({ state: "suspended" }) });
      assert.equal(condition(actions, "Suspended").reason, "SuspendedBySpec");
      if (own.queueName !== undefined) assert.equal(agents(), undefined);
      else
        assert.deepEqual(agents().spec, { ...agents().spec, suspend: true, template, parallelism });
    }
    const job = jobWith({ queueName: "research" });
    const { look } = cluster(job);
    look();
    job.spec = { ...job.spec, nodes: { max: 3 } };
    const { actions } = look({ run: runWith({ state: "running", numRanks: 4 }) });
    assert.ok(kinds(actions).includes("suspendRun"));
  });

  it("keeps no pods for a spec that is refused before there is a run", () => {
    const job = jobWith();
    const { look, agents } = cluster(job);
    look();
    const lines = ["1 to 5000 ranks: give at most 4096 sizes"];
    const verdict = { kind: "refused" as const, code: "invalid_input", lines };
    look({ verdict });
    assert.equal(agents(), undefined);
    const { status, reason, message } = condition(look({ verdict }).actions, "Failed");
    assert.deepEqual([status, reason, message.split("\n")[0]], ["True", "InvalidSpec", lines[0]]);
  });

  it("needs all its nodes unless it says how few will do, also after it was smaller", () => {
    const sizes = (actions: readonly Action[]) =>
      actions.flatMap((one) => ("minRanks" in one ? [[one.minRanks, one.maxRanks]] : []));
    const job = jobWith();
    const { look } = cluster(job);
    look();
    assert.deepEqual(sizes(look().actions), [[4, 4]]);
    job.spec = { ...job.spec, nodes: { max: 1 } };
    assert.deepEqual(sizes(look({ run: runWith({ maxRanks: 4 }) }).actions), [[2, 2]]);
    job.spec = { ...job.spec, nodes: { max: 2 } };
    assert.deepEqual(sizes(look({ run: runWith({ maxRanks: 2 }) }).actions), [[4, 4]]);
    job.spec = { ...job.spec, nodes: { min: 1, max: 2 } };
    assert.deepEqual(sizes(look({ run: runWith({ maxRanks: 4 }) }).actions), [[2, 4]]);
  });

  it("lets nodes be drained down to those that the run has now", () => {
    const job = jobWith({ nodes: { min: 1, max: 2 } });
    const { look, cluster: server } = cluster(job);
    const least = () => {
      const children = server.children(job.metadata.uid);
      const budget = children.find(({ kind }) => kind === "PodDisruptionBudget");
      return (budget?.spec as { minAvailable?: number } | undefined)?.minAvailable;
    };
    const bounds = { minRanks: 2, maxRanks: 4 };
    const at = (numRanks: number) =>
      look({ run: runWith({ state: "running", numRanks, ...bounds }) });
    look();
    assert.equal(least(), 1);
    at(2);
    assert.equal(least(), 0);
    const { actions } = look({ run: runWith({ state: "recovering", ...bounds }) });
    assert.deepEqual([kinds(actions), least()], [["patchStatus"], 0]);
    at(4);
    assert.equal(least(), 1);
    assert.ok(!kinds(at(4).actions).includes("applyChild"));
  });

  it("says again what others have changed of its children", () => {
    const job = jobWith();
    const { look, cluster: server, agents } = cluster(job);
    const run = runWith({ state: "running", numRanks: 4 });
    look();
    look({ run });
    server.edit(agents(), "kubectl-edit", ({ spec }) =>
      Object.assign(spec ?? {}, { parallelism: 1 }),
    );
    assert.deepEqual(kinds(look({ run }).actions), ["applyChild"]);
    assert.equal(agents().spec.parallelism, 2);
    assert.deepEqual(look({ run }).actions, []);
  });

  it("says once anew what an older release, which put no UID on children, has said", () => {
    const job = jobWith();
    const { look, agents, cluster: server } = cluster(job);
    for (const action of reconcile(seenOf(job)).actions) {
      assert.ok(action.kind === "applyChild");
      const { [JOB_UID]: uid, ...annotations } = action.child.metadata.annotations ?? {};
      assert.equal(uid, job.metadata.uid);
      const metadata = { ...action.child.metadata, annotations };
      server.apply({ ...action.child, metadata }, undefined);
    }
    const made = agents();
    const run = runWith({ state: "running", numRanks: 4 });
    const anew = look({ run }).actions.filter(({ kind }) => kind === "applyChild");
    assert.equal(anew.length, 6);
    assert.deepEqual(look({ run }).actions, []);
    assert.deepEqual([agents().metadata.uid, agents().spec], [made.metadata.uid, made.spec]);
  });

  it("does not plan again what is over, keeps what was said of it, and still gives its nodes back", () => {
    const job = jobWith({ ttlSecondsAfterFinished: 60 });
    const { look, agents } = cluster(job);
    look();
    look();
    const run = runWith({ state: "succeeded", reason: "all 240 steps are made" });
    look({ run });
    const verdict = { kind: "notNeeded" as const };
    assert.deepEqual(look({ run, verdict }), { actions: [], lookAgainMs: 60_000 });
    assert.equal(agents().spec.suspend, true);
    const late = { run: undefined, verdict, nowMs: START_MS + 60_000 };
    assert.deepEqual(kinds(look(late).actions), ["deleteChild"]);
  });

  it("lets the run write its checkpoint before the nodes are given back", () => {
    const job = jobWith();
    const { look, agents } = cluster(job);
    const running = runWith({ state: "running", numRanks: 4 });
    look();
    look({ run: running });
    job.spec = { ...job.spec, suspend: true };
    const { actions } = look({ run: running });
    assert.deepEqual(kinds(actions), ["suspendRun", "patchStatus"]);
    assert.equal(agents().spec.suspend, false);
    const run = runWith({ state: "suspended" });
    assert.equal(condition(look({ run }).actions, "Admitted").status, "True");
    assert.equal(agents().spec.suspend, true);
    assert.equal(condition(look({ run }).actions, "Suspended").status, "True");
    job.spec = { ...job.spec, suspend: false };
    look({ run });
    assert.equal(agents().spec.suspend, false);
    assert.ok(kinds(look({ run }).actions).includes("resumeRun"));
    assert.equal(job.status?.executionAttempt, 2);
  });

  for (const [who, own, isWebhookThere] of [
    ["the queue that the spec names", { queueName: "research" }, false],
    ["an admission webhook", {}, true],
  ] as const) {
    it(`leaves it to ${who} when the pods start, also after a suspension`, () => {
      const job = jobWith(own);
      const { look, agents, cluster: server } = cluster(job, isWebhookThere);
      const admit = () =>
        server.edit(agents(), "kueue", ({ spec }) => Object.assign(spec ?? {}, { suspend: false }));
      look();
      look();
      assert.equal(agents().spec.suspend, true);
      job.spec = { ...job.spec, ttlSecondsAfterFinished: 60 };
      assert.ok(kinds(look().actions).includes("applyChild"));
      assert.equal(agents().spec.suspend, true);
      assert.equal(
        job.status?.conditions?.find(({ type }) => type === "Admitted")?.reason,
        "Queued",
      );
      admit();
      assert.ok(kinds(look().actions).includes("submitRun"));
      job.spec = { ...job.spec, suspend: true };
      const off = { run: runWith({ state: "suspended" }) };
      // Who starts it could start it at any time.
      assert.deepEqual(kinds(look(off).actions), ["deleteChild", "patchStatus"]);
      assert.equal(condition(look(off).actions, "Suspended").reason, "SuspendedBySpec");
      assert.deepEqual(look(off).actions, []);
      job.spec = { ...job.spec, suspend: false };
      look(off);
      assert.equal(agents().spec.suspend, true);
      assert.equal(condition(look(off).actions, "Suspended").reason, "WaitsForNodes");
      admit();
      assert.ok(
        kinds(look({ run: runWith({ state: "suspended" }) }).actions).includes("resumeRun"),
      );
    });
  }

  it("suspends the run when the queue takes its nodes", () => {
    const job = jobWith({ queueName: "research" });
    const { look } = cluster(job);
    look();
    const { actions } = look({ run: runWith({ state: "running", numRanks: 4 }) });
    assert.ok(kinds(actions).includes("suspendRun"));
  });

  it("leaves pods as they are while there are some, and makes them anew when suspended", () => {
    const job = jobWith();
    const { look, agents } = cluster(job);
    const run = runWith({ state: "running", numRanks: 4 });
    look();
    look({ run });
    const template = { spec: { nodeSelector: { gpu: "h100" } } };
    job.spec = { ...job.spec, template, nodes: { max: 1 } };
    const before = agents().spec.template;
    assert.deepEqual(kinds(look({ run }).actions), ["scaleRun"]);
    const small = runWith({ state: "running", numRanks: 2, maxRanks: 2 });
    assert.deepEqual(kinds(look({ run: small }).actions), ["applyChild", "applyChild"]);
    assert.deepEqual([agents().spec.template, agents().spec.parallelism], [before, 1]);
    job.spec = { ...job.spec, suspend: true };
    const off = { run: runWith({ state: "suspended", maxRanks: 2 }) };
    look(off);
    assert.deepEqual(kinds(look(off).actions), ["deleteChild", "patchStatus"]);
    job.spec = { ...job.spec, suspend: false };
    look(off);
    assert.deepEqual(
      (agents().spec.template as { spec: Own }).spec.nodeSelector,
      template.spec.nodeSelector,
    );
  });

  it("gives the nodes of a job that is over back, and deletes its job when its time is over", () => {
    const job = jobWith({ ttlSecondsAfterFinished: 60 });
    const { look, agents } = cluster(job);
    look();
    look();
    const run = runWith({ state: "succeeded", reason: "all 240 steps are made" });
    assert.equal(condition(look({ run }).actions, "Succeeded").status, "True");
    assert.equal(agents().spec.suspend, true);
    assert.deepEqual(look({ run }), { actions: [], lookAgainMs: 60_000 });
    const late = { run: undefined, nowMs: START_MS + 60_000 };
    assert.deepEqual(kinds(look(late).actions), ["deleteChild"]);
    assert.deepEqual(look(late).actions, []);
  });

  it("fails a job whose pods were told something wrong, and cancels its run", () => {
    const job = jobWith();
    const { look, agents } = cluster(job);
    look();
    const run = runWith({ state: "recovering" });
    look({ run });
    const failed = {
      type: "Failed",
      status: "True",
      reason: "PodFailurePolicy",
      message: "exit 2",
    };
    const children = [{ ...agents(), status: { conditions: [failed] } }];
    const { actions } = look({ run, children });
    assert.equal(actions[0]?.kind, "cancelRun");
    assert.equal(condition(actions, "Failed").reason, "PodFailurePolicy");
    assert.deepEqual(kinds(look({ run: undefined, children: [] }).actions), []);
  });
});
