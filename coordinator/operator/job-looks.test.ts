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

it("what the coordinator refuses is told, and neither tried again nor given pods", async () => {
  const operator = await startOperator();
  const { runs } = operator;
  try {
    const lines = ["1 to 5000 ranks: give at most 4096 sizes to choose from"];
    runs.refusal = { kind: "refused", code: "invalid_input", lines };
    await operator.apply("wide");
    const { message } = await operator.untilCondition("wide", "Failed", "True", "InvalidSpec");
    assert.match(message, /^1 to 5000 ranks: give at most 4096 sizes to choose from$/);
    await until("no pods", () => operator.agents("wide") === undefined || undefined);
    await operator.untilQuiet("wide");
    assert.deepEqual(runs.wishesFor("wide"), ["submitRun"]);
    assert.equal(operator.cluster.job("wide")?.status?.summary?.state, "refused");
    runs.refusal = undefined;
    await operator.edit("wide", { nodes: { max: 4 } });
    await operator.untilCondition("wide", "Admitted", "True");
    await until("a run", () => runs.of("wide") ?? undefined);
    runs.refusal = { kind: "refused", code: "no_plan", lines: ["no legal layout has 4 ranks"] };
    runs.move("wide", { state: "running", numRanks: 8 });
    await operator.edit("wide", { nodes: { max: 2 } });
    await operator.untilCondition("wide", "Planned", "False", "NoPlan");
    await operator.untilCondition("wide", "Running", "True");
    assert.deepEqual(operator.failures, []);
  } finally {
    await operator.close();
  }
});

it("jobs that are over or others' are not judged by an operator that starts", async () => {
  const operator = await startOperator();
  const { runs } = operator;
  try {
    await operator.apply("theirs", { managedBy: "kueue.x-k8s.io/multikueue" });
    await operator.apply("done");
    await operator.untilCondition("done", "Admitted", "True");
    runs.move("done", { state: "succeeded", reason: "all 240 steps are made", numRanks: 0 });
    await operator.untilCondition("done", "Succeeded", "True");
    await operator.untilQuiet("done");
    operator.restart();
    for (const name of ["theirs", "done"]) await operator.untilQuiet(name);
    assert.deepEqual(operator.judged, ["done"]);
    assert.equal(operator.condition("done", "Planned")?.status, "True");
  } finally {
    await operator.close();
  }
});
