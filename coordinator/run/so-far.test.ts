import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { LineFile } from "./line-file.ts";
import { metricsRecord } from "./metrics.ts";
import { reportOfStep } from "./recorder-fixture.ts";
import { addStep, figuresOf, NO_STEPS, runFigures } from "./so-far.ts";

const directory = mkdtempSync(join(tmpdir(), "moestro-so-far-"));
after(() => rmSync(directory, { recursive: true }));

test("the sums in the lines give the same figures as all steps taken together", () => {
  const path = join(directory, "metrics.jsonl");
  const step = fc.record({
    loss: fc.double({ min: 0, max: 9, noNaN: true }),
    dropRate: fc.double({ min: 0, max: 1, noNaN: true }),
    validationLoss: fc.option(fc.double({ min: 0, max: 9, noNaN: true }), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), (steps) => {
      rmSync(path, { force: true });
      const file = new LineFile(path);
      let soFar = NO_STEPS;
      for (const [index, { loss, dropRate, validationLoss }] of steps.entries()) {
        const base = metricsRecord(reportOfStep(index + 1), new Date(0));
        const layers = base.layers.map((layer) => ({ ...layer, dropRate }));
        const measured = validationLoss === undefined ? {} : { validationLoss };
        const record = { ...base, loss, layers, ...measured };
        soFar = addStep(soFar, record);
        file.append({ ...record, soFar });
      }
      file.close();
      const figures = runFigures(path);
      const window = Math.max(1, Math.round(steps.length * 0.1));
      const mean = (some: typeof steps) =>
        some.reduce((sum, { dropRate }) => sum + dropRate, 0) / some.length;
      near(figures.meanDropRateFirst, mean(steps.slice(0, window)));
      near(figures.meanDropRateLast, mean(steps.slice(-window)));
      assert.deepEqual(
        [figures.steps, figures.firstLoss, figures.finalLoss, figures.validationLoss],
        [
          ...[steps.length, steps[0]?.loss, steps.at(-1)?.loss],
          steps.findLast((one) => one.validationLoss !== undefined)?.validationLoss ?? null,
        ],
      );
      assert.equal(soFar.stepMs, 10 * steps.length);
    }),
    { numRuns: 60 },
  );
});

test("a line that stands for several steps counts as so many", () => {
  const record = metricsRecord({ ...reportOfStep(4), numSteps: 4 }, new Date(0));
  const { steps, stepMs } = addStep(NO_STEPS, record);
  assert.deepEqual({ steps, stepMs }, { steps: 4, stepMs: 40 });
});

test("a line that was damaged, at either end or between, keeps no figures from being told", () => {
  const path = join(directory, "damaged.jsonl");
  const lines: string[] = [];
  let soFar = NO_STEPS;
  for (let step = 1; step <= 40; step += 1) {
    const record = metricsRecord(reportOfStep(step), new Date(0));
    soFar = addStep(soFar, record);
    lines.push(JSON.stringify({ ...record, soFar }));
  }
  const { meanDropRateFirst } = figuresIn(path, lines);
  for (let damaged = 0; damaged < lines.length; damaged += 1) {
    const figures = figuresIn(path, lines.with(damaged, "\0\0\0"));
    assert.equal(figures.steps, damaged === 39 ? 39 : 40);
    assert.ok(Math.abs((figures.meanDropRateFirst ?? 9) - (meanDropRateFirst ?? 0)) < 0.01);
  }
});

test("of a run whose records cannot be read the last step tells what it can", () => {
  const record = metricsRecord(reportOfStep(4), new Date(0));
  const { steps, finalLoss, firstLoss } = figuresOf({ ...record, validationLoss: 2 });
  assert.deepEqual([steps, finalLoss, firstLoss], [4, record.loss, null]);
  assert.equal(figuresOf(undefined).steps, 0);
});

test("a run without a line has no figures", () => {
  const figures = runFigures(join(directory, "none.jsonl"));
  assert.equal(figures.steps, 0);
  assert.equal(figures.firstLoss, null);
  assert.equal(figures.meanDropRateLast, null);
});

function figuresIn(path: string, lines: readonly string[]) {
  writeFileSync(path, lines.map((line) => `${line}\n`).join(""));
  return runFigures(path);
}

function near(value: number | null, wanted: number): void {
  assert.ok(value !== null && Math.abs(value - wanted) < 1e-9, `${value}, not ${wanted}`);
}
