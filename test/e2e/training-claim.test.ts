import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { after, test } from "node:test";
import { readJob } from "../bench/jobs.ts";
import { armsOf, cellsOf, jobOfCell } from "../bench/training-claim/grid.ts";
import { Runs } from "../bench/training-claim/run-cell.ts";
import { summarize } from "../bench/training-claim/summarize.ts";
import { writeResults } from "../bench/training-claim/write-results.ts";
import { tinyJob, Workplace } from "./moestro.ts";

const LENGTH = { steps: 6, batch: 4 };
const place = new Workplace();
process.env.MOESTRO_HOME = place.home;
after(() => place.remove());

test("two arms of the training claim are trained once each and become figures", () => {
  place.write("job.yaml", tinyJob({ data: { path: place.path("texts") } }));
  const job = readJob(place.path("job.yaml"));
  const wanted = ["normalized-adaptive", "plain-fixed-0-01"];
  const arms = armsOf([0.01]).filter(({ id }) => wanted.includes(id));
  const cells = cellsOf(arms, [1]);
  assert.equal(cells.length, 2);
  const runs = new Runs(place.path("claim"));
  for (const cell of cells) {
    const own = jobOfCell(job, cell, LENGTH);
    assert.equal(runs.isFinished(cell.id, own), false);
    runs.train(cell.id, own);
    assert.equal(runs.isFinished(cell.id, own), true);
    // A longer run is another run.
    assert.equal(runs.isFinished(cell.id, jobOfCell(job, cell, { ...LENGTH, steps: 7 })), false);
  }

  const results = summarize(arms, cells, (id) => runs.metrics(id));
  const [adaptive, fixed] = results.arms;
  assert.ok(adaptive && fixed);
  assert.equal(results.steps, LENGTH.steps);
  assert.ok(fixed.coefficients.every(({ mean }) => mean === 0.01));
  assert.ok(adaptive.coefficients.every(({ mean }) => mean > 0 && mean < 0.01));
  for (const { similarity, validationLoss } of results.arms) {
    // Experts drawn at random are nearly orthogonal.
    assert.ok(Math.abs(similarity.mean) < 0.2, `${similarity.mean}`);
    assert.ok(validationLoss.mean > 0);
  }
  writeResults(place.path("results"), results);
  assert.match(
    readFileSync(place.path("results/table.md"), "utf8"),
    /\| off \| fixed α = 0\.01 \|/,
  );
  assert.ok(existsSync(place.path("results/similarity.svg")));
});
