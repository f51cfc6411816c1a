import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { controllerOptions } from "../../coordinator/controller/options.ts";
import { replay } from "../../coordinator/controller/replay.ts";
import type { MetricsRecord, SummaryRecord } from "../../coordinator/report/records.ts";
import { loadJob } from "../../coordinator/spec/load-job.ts";
import { type Ended, tinyJob, tinyTraining, Workplace } from "./moestro.ts";

const place = new Workplace();
let whole: Ended;

/** What must repeat bit for bit; times and memory need not. */
const trajectory = (records: MetricsRecord[]) =>
  records.map(({ step, loss, gradNorm, lr, layers, validationLoss }) => ({
    ...{ step, loss, gradNorm, lr, layers, validationLoss },
  }));

before(async () => {
  place.write("job.yaml", tinyJob());
  whole = await place.run(["train", "job.yaml", "--json", "--run-id", "whole"]);
});
after(() => place.remove());

test("a run ends with exit code 0 and leaves nothing running", async () => {
  assert.equal(whole.exitCode, 0, whole.stderr);
  assert.equal(whole.stderr, "");
  await place.nothingLeft(2000);
});

test("its folder holds plan, metrics, events, summary, checkpoint and report", () => {
  const files = ["plan.json", "metrics.jsonl", "events.jsonl", "summary.json", "report.html"];
  for (const name of [...files, "timeline.json", "job.yaml", "logs/generation-1/rank-3.log"]) {
    assert.ok(existsSync(place.path("runs", "whole", name)), name);
  }
  assert.ok(
    existsSync(place.path("runs", "whole", "checkpoints", "step-00000016", "manifest.json")),
  );
  assert.ok(!existsSync(place.path("runs", "whole", "endpoint.json")));
});

test("the plan is EDP over two non-uniform stages", () => {
  const plan = JSON.parse(readFileSync(place.path("runs", "whole", "plan.json"), "utf8"));
  assert.equal(plan.layout.scheme, "SCHEME_EDP");
  assert.equal(plan.layout.expertParallel, 2);
  assert.deepEqual(
    plan.stages.map((stage: { numLayers: number }) => stage.numLayers),
    [2, 1],
  );
});

test("metrics have a line for every step with every layer's figures", () => {
  const records = place.metrics("whole");
  assert.deepEqual(
    records.map(({ step }) => step),
    Array.from({ length: 16 }, (_, index) => index + 1),
  );
  for (const { loss, gradNorm, layers, tokens, stages, memory } of records) {
    assert.ok(loss > 0 && gradNorm > 0);
    assert.equal(tokens, 4 * 64);
    assert.equal(stages.length, 2);
    assert.ok(memory.peakBytes > 1_000_000);
    assert.equal(layers.length, 3);
    for (const { expertLoad, dropRate, auxLoss } of layers) {
      // Every token of the step, times top-2.
      assert.equal(
        expertLoad.reduce((sum, count) => sum + count, 0),
        4 * 64 * 2,
      );
      assert.ok(dropRate >= 0 && dropRate < 1 && auxLoss >= 0);
    }
  }
});

test("the coefficients differ between layers and follow the formula, recomputed offline", async () => {
  const { job } = await loadJob(place.path("job.yaml"));
  const records = place.metrics("whole");
  const { largestDeviation, steps } = replay(controllerOptions(job), records);
  assert.equal(steps, 16);
  assert.equal(largestDeviation, 0);
  const last = records.at(-1)?.layers.map(({ auxCoeff }) => auxCoeff) ?? [];
  assert.equal(new Set(last).size, last.length, `${last}`);
  // A trajectory with one wrong value does not pass.
  const [first] = records;
  assert.ok(first?.layers[0]);
  const tampered = structuredClone(records);
  (tampered[9] as MetricsRecord).layers[0] = { ...first.layers[0], auxCoeff: 0.005 };
  assert.ok(replay(controllerOptions(job), tampered).largestDeviation > 1e-4);
});

test("the loss falls, and the summary says by how much", () => {
  const text = readFileSync(place.path("runs", "whole", "summary.json"), "utf8");
  const summary = JSON.parse(text) as SummaryRecord;
  assert.equal(summary.status, "succeeded");
  assert.equal(summary.steps, 16);
  assert.ok((summary.finalLoss ?? 9) < (summary.firstLoss ?? 0) - 0.5);
  assert.ok((summary.validationLoss ?? 9) < (summary.firstLoss ?? 0));
  for (const figure of ["tokensPerSecond", "meanDropRateFirst", "meanDropRateLast"] as const) {
    assert.ok((summary[figure] ?? 0) > 0, figure);
  }
  assert.equal(summary.lateControlValues, 0);
  assert.match(summary.sample ?? "", /^def /);
});

test("programs get a line for every step and event, and the summary last", () => {
  const lines = whole.stdout.trim().split("\n");
  const types = lines.map((line) => (JSON.parse(line) as { type: string }).type);
  assert.equal(types.filter((type) => type === "step").length, 16);
  assert.equal(types.at(-1), "summary");
});

test("moestro status tells of the run while it runs, over gRPC, and after it", async () => {
  // So long that it still runs when the question is asked, however busy the machine.
  place.write("long.yaml", tinyJob({ training: tinyTraining(100_000) }));
  const command = place.start(["train", "long.yaml", "--json", "--run-id", "long"]);
  await command.step(1);
  const during = await place.run(["status", "long", "--json"]);
  command.signal("SIGINT");
  await command.ended;
  assert.equal(during.exitCode, 0, during.stderr);
  const status = JSON.parse(during.stdout) as { runId: string; state: string; step: string };
  assert.equal(status.runId, "long");
  assert.equal(status.state, "running");
  const afterwards = await place.run(["status", "whole"]);
  assert.match(afterwards.stdout, /whole: succeeded at step 16/);
});

test("keys are readable by their owner alone", () => {
  assert.equal(statSync(join(place.home, "authority.pem")).mode & 0o777, 0o600);
});

test("Ctrl-C checkpoints and stops; --resume goes on as if nothing had been", async () => {
  const args = ["train", "job.yaml", "--json", "--run-id", "parts"];
  const first = place.start(args);
  await first.step(6);
  first.signal("SIGINT");
  const stopped = await first.ended;
  assert.equal(stopped.exitCode, 130, stopped.stderr);
  await place.nothingLeft(2000);
  const text = readFileSync(place.path("runs", "parts", "summary.json"), "utf8");
  const summary = JSON.parse(text) as SummaryRecord;
  assert.equal(summary.status, "stopped");
  assert.equal(summary.checkpointStep, summary.steps);

  const resumed = await place.run(["train", "job.yaml", "--json", "--resume"]);
  assert.equal(resumed.exitCode, 0, resumed.stderr);
  const firstStep = resumed.stdout.split("\n").find((line) => line.startsWith('{"type":"step"'));
  assert.equal((JSON.parse(firstStep ?? "{}") as MetricsRecord).step, summary.steps + 1);
  // Strict control and one seed: bit-identical to the run that was never stopped.
  assert.deepEqual(trajectory(place.metrics("parts")), trajectory(place.metrics("whole")));
});

test("a run that is complete has nothing to resume, and says so", async () => {
  const { exitCode, stderr } = await place.run(["train", "job.yaml", "--resume", "whole"]);
  assert.equal(exitCode, 2);
  assert.match(stderr, /is of step 16 and the job has 16 steps.*raise training\.steps/);
});

test("a checkpoint of another model is refused", async () => {
  place.write("other.yaml", tinyJob().replace('"heads": 2', '"heads": 4'));
  const { exitCode, stderr } = await place.run(["train", "other.yaml", "--resume", "whole"]);
  assert.equal(exitCode, 2);
  assert.match(stderr, /was written by another model/);
});

test("a job that would change the data order is refused, with what changed", async () => {
  const changed = tinyJob({ training: { ...tinyTraining(20), seed: 7 } });
  place.write("other.yaml", changed);
  const { exitCode, stderr } = await place.run(["train", "other.yaml", "--resume", "whole"]);
  assert.equal(exitCode, 2);
  assert.match(stderr, /was trained with training\.seed 1, the job file says 7; set it back/);
});

test("text that has changed since the checkpoint is refused", async () => {
  place.write("longer.yaml", tinyJob({ training: tinyTraining(20) }));
  place.write("texts/new.py", "import this\n".repeat(200));
  const ended = await place.run(["train", "longer.yaml", "--json", "--resume", "whole"]);
  assert.equal(ended.exitCode, 2);
  assert.match(ended.stderr, /^data: the text has changed since the checkpoint was written/);
  await place.nothingLeft(5000);
});
