import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { StepReportSchema } from "../../proto/gen/moestro/v1/report_pb.js";
import { until } from "../../test/faults/patience.ts";
import type { RankExit } from "./rank-process.ts";
import { RankStory } from "./rank-story.ts";

test("what a rank writes is printed line by line, to its end", async () => {
  const folder = mkdtempSync(join(tmpdir(), "moestro-test-"));
  const path = join(folder, "rank-3.log");
  const lines: string[] = [];
  const { promise, resolve } = Promise.withResolvers<RankExit>();
  const following = new RankStory((line) => lines.push(line), 5).follow({ ended: promise }, path);
  writeFileSync(path, "one\ntw");
  await until("the first line", () => lines.length === 1);
  appendFileSync(path, "o\nlast");
  await until("the second line", () => lines.length === 2);
  resolve({ exitCode: 0, signal: "", logTail: [] });
  await following;
  assert.deepEqual(lines, ["rank-3: one", "rank-3: two", "rank-3: last"]);
  rmSync(folder, { recursive: true });
});

test("steps are told now and then, with the loss where it is known", () => {
  const lines: string[] = [];
  const story = new RankStory((line) => lines.push(line));
  const report = { step: 7n, stepMs: 98.4, gradientNorm: 0.5, lossSum: 20, lossTokens: 8n };
  story.step(create(StepReportSchema, report));
  story.step(create(StepReportSchema, { ...report, step: 8n }));
  const other = new RankStory((line) => lines.push(line));
  other.step(create(StepReportSchema, { ...report, lossTokens: 0n }));
  assert.deepEqual(lines, [
    "step 7: loss 2.5000, gradient norm 0.500, 98 ms",
    "step 7: gradient norm 0.500, 98 ms",
  ]);
});
