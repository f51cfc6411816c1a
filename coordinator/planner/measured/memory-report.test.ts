import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { readCsvRows } from "./csv-file.ts";
import { splitByCost } from "./even-split.ts";
import { denseModel } from "./memory-models.ts";

import { memoryReport, reportSource } from "./memory-report.ts";
import { formatMemoryReport } from "./memory-report-text.ts";
import { readMemoryCases, readSimumaxMemory } from "./memory-rows.ts";

const DATA = join(import.meta.dirname, "../../../data/validation");

test("every published B200 peak is predicted within 2 %, 1 % on the mean", async () => {
  const report = reportSource(await readSimumaxMemory(DATA));
  assert.equal(report.rows.length, 43);
  assert.ok(report.meanAbsoluteError <= 0.01, `${report.meanAbsoluteError}`);
  for (const { name, error } of report.rows)
    assert.ok(Math.abs(error) <= 0.02, `${name}: ${error}`);
});

test("the reduced Mixtral's totals are predicted within 5 %", async () => {
  const report = reportSource(await readMemoryCases(DATA));
  assert.equal(report.rows.length, 12);
  assert.ok(report.meanAbsoluteError <= 0.05, `${report.meanAbsoluteError}`);
  const totals = report.rows.filter(({ quantity }) => quantity === "peak");
  for (const { name, error } of totals) assert.ok(Math.abs(error) <= 0.05, `${name}: ${error}`);
});

test("runs that fitted or not are counted by what was predicted of them", async () => {
  const rows = await readMemoryCases(DATA);
  const small = rows.slice(0, 1).map((row) => ({ ...row, fits: true }));
  const huge = small.map((row) => ({
    ...row,
    fits: false,
    measuredBytes: undefined,
    placement: { ...row.placement, microBatchSize: 4096 },
  }));
  const { confusion, rows: compared } = reportSource([...small, ...huge]);
  assert.equal(compared.length, 1);
  assert.equal(confusion?.fitPredictedFit, 1);
  assert.equal(confusion?.outPredictedOut, 1);
  assert.equal(confusion?.precision, 1);
  assert.equal(confusion?.outRecall, 1);
});

test("nanotron's cut follows the cost of layers and head", () => {
  const llama = {
    hiddenSize: 2048,
    ffnHiddenSize: 8192,
    heads: 32,
    kvHeads: 32,
    vocabSize: 131072,
  };
  const split = splitByCost(denseModel({ ...llama, layers: 16 }), 2);
  assert.deepEqual(split, { layersPerStage: [10, 6], headStage: 1 });
});

test("the text names every source, its error and its worst rows", async () => {
  const text = formatMemoryReport({ sources: [reportSource(await readSimumaxMemory(DATA))] });
  assert.match(text, /simumax-b200: 43 figures, mean absolute error 0\.\d+ %/);
  assert.match(text, /line \d+/);
});

test("a file that is not there or lacks a column is refused with its name", async () => {
  await assert.rejects(readSimumaxMemory(join(DATA, "nowhere")), /simumax-b200\.csv: no such file/);
  const path = join(DATA, "memory-cases.csv");
  await assert.rejects(
    readCsvRows(path, ["tp", "colour"], (fields) => fields),
    /:1: columns colour are missing/,
  );
});

test("what fits an H100 is told of nanotron's runs with precision and recall of 95 %", async () => {
  const { sources } = await memoryReport(DATA);
  const byName = new Map(sources.map((source) => [source.source, source]));
  const confusion = byName.get("nanotron-h100")?.confusion;
  assert.ok(confusion !== undefined);
  for (const share of [
    confusion.precision,
    confusion.recall,
    confusion.outPrecision,
    confusion.outRecall,
  ]) {
    assert.ok(share >= 0.95, JSON.stringify(confusion));
  }
  assert.ok((byName.get("nanotron-h100 between steps")?.meanAbsoluteError ?? 1) < 0.01);
});
