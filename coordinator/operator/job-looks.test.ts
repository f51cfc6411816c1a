import assert from "node:assert/strict";
import { it } from "node:test";
import { until } from "../../test/faults/patience.ts";
import { AGENTS, IDLE_AGENTS, startOperator } from "./played-operator-fixture.ts";
import { isReady } from "./reconcile/pods.ts";

it("a job that is applied is made, submitted, followed and, when deleted, gone", async () => {
  const operator = await startOperator();
  const { kube, runs } = operator;
  try {
    for (const name of ["tiny", "later"]) {
      await operator.apply(name);
      await operator.untilCondition(name, "Admitted", "True");
      runs.move(name, { state: "running", numRanks: 4 });
      await operator.untilCondition(name, "Running", "True");
      assert.deepEqual(runs.wishesFor(name), ["submitRun"]);
      await operator.untilQuiet(name);
    }
    for (const name of ["tiny", "later"]) await operator.delete(name);
    await until("nothing left", async () => {
      const { body } = await kube.request("GET", AGENTS);
      return (body as { items: unknown[] }).items.length === 0 || undefined;
    });
    assert.deepEqual(operator.failures, []);
  } finally {
    await operator.close();
  }
});

it("a job takes twelve calls from apply to its end, watches and leases apart", async () => {
  const operator = await startOperator(IDLE_AGENTS);
  const { kube, runs } = operator;
  try {
    await until("all that there is", () => operator.cluster.isComplete || undefined);
    kube.faults.resetCounts();
    await operator.apply("tiny");
    await operator.untilCondition("tiny", "Admitted", "True");
    runs.move("tiny", { state: "starting", reason: "starts 4 ranks", numRanks: 4 });
    const areReady = () => operator.pods("tiny").filter(isReady).length === 2;
    await until("pods that are ready", () => areReady() || undefined);
    runs.move("tiny", { state: "running", reason: "all ranks stand", layout: "tp 2 pp 2" });
    await operator.untilCondition("tiny", "Running", "True");
    runs.move("tiny", { state: "succeeded", reason: "all 240 steps are made", numRanks: 0 });
    await operator.untilCondition("tiny", "Succeeded", "True");
    await operator.untilQuiet("tiny");
    assert.equal(operator.agents("tiny")?.spec.suspend, true);
    const numEvents = () => kube.faults.totalRequests({ verb: "create", resource: "events" });
    await until("two Events", () => numEvents() === 2 || undefined);
    const calls = [...kube.faults.numRequests].filter(
      ([name]) => !/^(list|watch) | discovery$|^create moetrainingjobs/.test(name),
    );
    const total = calls.reduce((sum, [, count]) => sum + count, 0);
    assert.ok(total <= 12, JSON.stringify(calls));
    assert.deepEqual(operator.failures, []);
  } finally {
    await operator.close();
  }
});
