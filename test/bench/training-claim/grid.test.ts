import assert from "node:assert/strict";
import { resolve } from "node:path";
import test from "node:test";
import { readJob } from "../jobs.ts";
import { armsOf, type Cell, cellsOf, jobOfCell } from "./grid.ts";

const QUICKSTART = resolve(import.meta.dirname, "../../../examples/quickstart.yaml");
const ARMS = armsOf([0.01, 0.001]);
const LENGTH = { steps: 40, batch: 8 };

/** What of a cell's job differs from arm to arm. */
function settings(cell: Cell) {
  const { moe, controller, training } = jobOfCell(readJob(QUICKSTART), cell, LENGTH);
  const { initialCoefficient } = controller as Record<string, unknown>;
  const { gateNormalization, balancing } = moe;
  return { gateNormalization, balancing, initialCoefficient, seed: training.seed };
}

test("six arms, each with every seed, a seed at a time", () => {
  const cells = cellsOf(ARMS, [1, 2, 3]);
  assert.equal(new Set(cells.map(({ id }) => id)).size, 18);
  assert.deepEqual(
    cells.map(({ seed }) => seed),
    [1, 2, 3].flatMap((seed) => Array(6).fill(seed)),
  );
  // A cell's id names its run.
  for (const { id } of cells) assert.match(id, /^[a-z0-9-]{1,50}$/);
});

test("arms differ in gate normalisation and in balancing, and in nothing else", () => {
  const jobs = cellsOf(ARMS, [2]).map(settings);
  const balancings = [
    { balancing: "adaptive", initialCoefficient: 0.1 },
    { balancing: "fixed", initialCoefficient: 0.01 },
    { balancing: "fixed", initialCoefficient: 0.001 },
  ];
  assert.deepEqual(
    jobs,
    [1, false].flatMap((gateNormalization) =>
      balancings.map((balancing) => ({ gateNormalization, ...balancing, seed: 2 })),
    ),
  );
});

test("a cell keeps the given job's model, data and learning rate", () => {
  const job = readJob(QUICKSTART);
  const [cell] = cellsOf(ARMS, [7]);
  assert.ok(cell);
  const made = jobOfCell(job, cell, LENGTH);
  assert.deepEqual([made.model, made.data], [job.model, job.data]);
  assert.equal(made.training.learningRate, job.training.learningRate);
  assert.deepEqual([made.training.steps, made.training.globalBatchSize], [40, 8]);
  assert.equal(made.training.validationEverySteps, 3);
});
