import assert from "node:assert/strict";
import test from "node:test";
import { contrasts } from "./contrasts.ts";
import { curveOf } from "./curve.ts";
import { type Course, madeUpRun, records } from "./fixture.ts";
import { armsOf, type Cell, cellsOf } from "./grid.ts";
import { spreadOf } from "./spread.ts";
import { type ArmResult, type Results, summarize } from "./summarize.ts";
import { markdown, tablesOf } from "./tables.ts";

const ARMS = armsOf([0.01, 0.001]);
const SEEDS = [1, 2, 3];
const CELLS = cellsOf(ARMS, SEEDS);
const STEPS = 120;

function results(): Results {
  const byId = new Map<string, Cell>(CELLS.map((cell) => [cell.id, cell]));
  return summarize(ARMS, CELLS, (id) => madeUpRun(byId.get(id) as Cell, STEPS));
}

function close(actual: number | undefined, expected: number): void {
  assert.ok(Math.abs((actual ?? Number.NaN) - expected) < 1e-9, `${actual} is not ${expected}`);
}

const flat: Course = {
  loss: () => 1,
  dropRate: () => 0,
  coefficient: () => 0,
  similarity: () => undefined,
};

test("a spread is the mean and the sample standard deviation over seeds", () => {
  assert.deepEqual(spreadOf([1, 2, 3]), { mean: 2, deviation: 1, values: [1, 2, 3] });
  assert.deepEqual(spreadOf([4]), { mean: 4, deviation: 0, values: [4] });
});

test("every figure is taken where its definition says", () => {
  const [cell] = CELLS;
  assert.ok(cell);
  const runs = summarize([cell.arm], [cell], () =>
    records(30, {
      loss: (step) => step,
      dropRate: (step, layer) => (step + layer) / 100,
      coefficient: (step, layer) => step + layer,
      similarity: (step) => (step === 10 || step === 20 ? step / 100 : undefined),
    }),
  );
  const arm = runs.arms[0] as ArmResult;
  assert.deepEqual([runs.steps, runs.tokensPerStep, runs.seeds], [30, 64, [1]]);
  // The last tenth: steps 28 to 30; the last third: 21 to 30, layers half a step apart in mean.
  close(arm.trainingLoss.mean, 29);
  close(arm.dropRate.mean, 0.26);
  assert.deepEqual(
    arm.coefficients.map(({ mean }) => mean),
    [30, 31],
  );
  close(arm.similarity.mean, 0.2);
  assert.ok(Number.isNaN(arm.validationLoss.mean));
});

test("a curve has the seeds' mean and range, of neighbouring steps put together first", () => {
  const runs = [0, 10].map((offset) =>
    records(80, { ...flat, loss: (step) => offset + (step % 2) }),
  );
  const { steps, mean, min, max } = curveOf(runs, ({ loss }) => loss);
  assert.equal(steps.length, 40);
  assert.deepEqual(steps.slice(0, 2), [1.5, 3.5]);
  // A single step's ups and downs are gone, what lies between seeds is not.
  assert.deepEqual([mean[0], min[0], max[0]], [5.5, 0.5, 10.5]);
});

test("a figure that few steps have is a curve of those steps", () => {
  const run = records(50, { ...flat, similarity: (step) => (step % 10 ? undefined : 0.5) });
  const { steps } = curveOf([run], ({ layers }) => layers[0]?.expertSimilarity);
  assert.deepEqual(steps, [10, 20, 30, 40, 50]);
});

test("runs of one seed are compared with each other, so that the seed falls out", () => {
  const all = contrasts(results());
  assert.equal(all.length, 3 + 4);
  for (const { name, validationLoss, dropRate } of all.slice(0, 3)) {
    assert.match(name, /^normalisation on − off/);
    close(validationLoss.mean, -0.1);
    close(validationLoss.deviation, 0);
    assert.ok(dropRate.values.every((value) => value < 0));
  }
  for (const { name, validationLoss, dropRate } of all.slice(3)) {
    assert.match(name, /^adaptive − fixed α = 0\.0+1, normalisation (on|off)$/);
    close(validationLoss.mean, 0);
    assert.ok(dropRate.values.every((value) => value < 0));
  }
});

test("the tables name every arm and say in how many seeds a difference is below zero", () => {
  const [arms, differences] = tablesOf(results());
  assert.ok(arms && differences);
  assert.equal(arms.rows.length, 6);
  assert.deepEqual(arms.rows[0]?.slice(0, 3), ["λ = 1", "adaptive α", "1.950 ± 0.020"]);
  assert.equal(differences.rows[0]?.[1], "−0.100 ± 0.000 (3 of 3)");
  const lines = markdown(differences).split("\n");
  assert.equal(
    lines[2],
    "| difference | validation loss | drop rate, percentage points | expert similarity |",
  );
  assert.equal(lines.filter((line) => line.startsWith("| ")).length, 2 + 7);
});
