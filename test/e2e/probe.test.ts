import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { tinyJob, tinyTraining, Workplace } from "./moestro.ts";

const place = new Workplace();
const JOB = tinyJob({ layout: "auto" });

interface Ranked {
  layout: { tensorParallel: number; pipelineParallel: number; dataParallel: number };
  predicted: { stepTimeMs: number; tokensPerSecondPerGpu: number };
}

before(async () => {
  place.write("job.yaml", JOB);
  const probed = await place.run(["probe", "job.yaml", "--out", "mine.yaml", "--steps", "2"]);
  assert.equal(probed.exitCode, 0, probed.stderr);
  assert.match(probed.stdout, /written to mine\.yaml; plan with it/);
});
after(() => place.remove());

test("plans from a probe are ranked by predicted step, and the quickest is what train runs", async () => {
  const planned = await place.run(["plan", "job.yaml", "--profile", "mine.yaml", "--json"]);
  assert.equal(planned.exitCode, 0, planned.stderr);
  const { best, plans } = JSON.parse(planned.stdout) as { best: Ranked; plans: Ranked[] };
  assert.ok(plans.length >= 3, `${plans.length} plans`);
  const times = plans.map(({ predicted }) => predicted.stepTimeMs);
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  );
  assert.deepEqual(best, plans[0]);
  const trained = await place.run([
    ...["train", "job.yaml", "--profile", "mine.yaml"],
    ...["--run-id", "probed", "--json"],
  ]);
  assert.equal(trained.exitCode, 0, trained.stderr);
  const { layout } = JSON.parse(readFileSync(place.path("runs", "probed", "plan.json"), "utf8"));
  assert.equal(layout.tensorParallel, best.layout.tensorParallel);
  assert.equal(layout.pipelineParallel, best.layout.pipelineParallel);
  assert.equal(layout.dataParallel, best.layout.dataParallel);
  await place.nothingLeft(2000);
});

test("a profile of another model is refused in one line", async () => {
  place.write(
    "other.yaml",
    tinyJob({ layout: "auto", training: { ...tinyTraining(16), sequenceLength: 32 } }),
  );
  const { exitCode, stderr } = await place.run(["train", "other.yaml", "--profile", "mine.yaml"]);
  assert.equal(exitCode, 2);
  assert.match(stderr, /^mine\.yaml: was measured with another model or sequence length; .*\n$/);
});

test("the plan of a local job has the planner's fields and what the engine gets", async () => {
  const { stdout, exitCode, stderr } = await place.run(["plan", "job.yaml", "--json"]);
  assert.equal(exitCode, 0, stderr);
  const { best, engine, cluster } = JSON.parse(stdout);
  assert.equal(cluster.gpus, engine.worldSize);
  assert.equal(best.layout.pipelineParallel, engine.layout.pipelineParallel);
  assert.equal(best.layout.tensorParallel, engine.layout.tensorParallel);
  assert.ok(best.predicted.stepTimeMs > 0);
});
