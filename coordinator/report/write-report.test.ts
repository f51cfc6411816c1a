import assert from "node:assert/strict";
import { readdir, readFile, stat } from "node:fs/promises";
import test from "node:test";
import { fileTexts, makeRun, withRunDirectory } from "./fixture.ts";
import type { PageData } from "./page-data.ts";
import { writeReport } from "./write-report.ts";

/** The report of a folder with these files. */
function reportOf(files: Record<string, string>): Promise<string> {
  return withRunDirectory(files, async (directory) =>
    readFile(await writeReport(directory), "utf8"),
  );
}

function dataOf(page: string): PageData {
  const json = /<script type="application\/json" id="moestro-data">(.*?)<\/script>/s.exec(
    page,
  )?.[1];
  return JSON.parse(json ?? "null") as PageData;
}

function without(files: Record<string, string>, ...names: string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(files).filter(([name]) => !names.includes(name)));
}

test("a finished run's report holds its figures, plan, schedule, events and text", async () => {
  const run = makeRun({ steps: 60 });
  const page = await reportOf(fileTexts(run));
  const data = dataOf(page);
  assert.deepEqual(
    data.steps,
    run.metrics.map((record) => record.step),
  );
  assert.deepEqual(data.layers, [0, 1, 2, 3, 4, 5]);
  assert.ok(data.load.layers.every((layer) => layer.length === 60 * 8));
  for (const text of [
    "succeeded",
    "7.30 M parameters, 2.14 M active a token; 6 layers with 8 experts each.",
    "4 ranks: attention on PP 2 × TP 2 × DP 1, experts on EP 2 × ExpertDP 1 by EDP; stages of [4, 2] layers under 1F1B, 8 micro-batches of 4 sequences.",
    "Python standard library: 9.8 M training bytes",
    "forward of micro-batch 7",
    "11.9 % more work in the same time",
    "checkpoint.committed",
    "return self._buffer",
  ]) {
    assert.ok(page.includes(text), text);
  }
  assert.ok(!page.includes("What this report lacks"));
});

test("the report loads nothing and stays under 1.5 MB for 500 steps of 6 layers with 8 experts", async () => {
  await withRunDirectory(fileTexts(makeRun({ steps: 500 })), async (directory) => {
    const path = await writeReport(directory);
    const page = await readFile(path, "utf8");
    // A library's licence comment may name where it comes from.
    const text = page.replace(/\/\*.*?\*\//gs, "");
    const loads =
      /\b(?:src|href)\s*=\s*["']?(?!data:,)[^"'\s>]+|@import|url\(|fetch\(|XMLHttpRequest|https?:\/\/.{0,40}/gi;
    assert.deepEqual(text.match(loads), null);
    assert.ok((await stat(path)).size < 1_500_000);
    assert.ok(!(await readdir(directory)).some((name) => name.endsWith(".unfinished")));
  });
});

test("text of a run cannot become markup, in an element, an attribute or the data", async () => {
  const run = makeRun({ steps: 5 });
  const attack = `</script><script>alert(1)</script><img src=x onerror="alert(2)">'"`;
  run.summary.name = attack;
  run.summary.reason = attack;
  run.summary.runId = attack;
  run.summary.sample = attack;
  run.plan.reasons = [attack];
  run.events = [
    { time: attack, event: attack, message: attack },
    { time: run.events[0]?.time ?? "", event: "data.prepared", message: attack },
  ];
  const page = await reportOf(fileTexts(run));
  const plain = await reportOf(fileTexts(makeRun({ steps: 5 })));
  const tags = (text: string, name: string) => text.split(new RegExp(`<${name}\\b`, "i")).length;
  assert.equal(tags(page, "script"), tags(plain, "script"));
  assert.equal(tags(page, "/script"), tags(plain, "/script"));
  assert.equal(tags(page, "img"), 1);
});

test("a run that failed before its first step says so and shows what there is", async () => {
  const run = makeRun({ steps: 0 });
  run.summary = {
    ...run.summary,
    status: "failed",
    reason: "Rank 2 ended with exit code 1.",
    sample: null,
  };
  const page = await reportOf(without(fileTexts(run), "metrics.jsonl", "timeline.json"));
  for (const text of [
    "Rank 2 ended with exit code 1.",
    "No optimizer step was completed",
    "No stage has sent a timeline",
    "No text was sampled",
    "metrics.jsonl is missing.",
    "run.started",
  ]) {
    assert.ok(page.includes(text), text);
  }
  assert.deepEqual(dataOf(page).steps, []);
});

test("an empty metrics file is a run of zero steps", async () => {
  const page = await reportOf(fileTexts(makeRun({ steps: 0 })));
  assert.ok(page.includes("No optimizer step was completed"));
});

test("a last line that was cut off is left out, and said to be", async () => {
  const files = fileTexts(makeRun({ steps: 12 }));
  const page = await reportOf({
    ...files,
    "metrics.jsonl": files["metrics.jsonl"]?.slice(0, -40) ?? "",
  });
  assert.equal(dataOf(page).steps.at(-1), 11);
  assert.ok(page.includes("metrics.jsonl: the last line is cut off and was left out."));
});

test("a run that is still going, or was killed, has a report without a summary", async () => {
  const page = await reportOf(without(fileTexts(makeRun({ steps: 12 })), "summary.json"));
  assert.ok(page.includes("not ended"));
  assert.equal(dataOf(page).steps.length, 12);
});

test("an empty folder and a folder of damaged files still give a page that says what is wrong", async () => {
  const empty = await reportOf({});
  assert.ok(empty.includes("plan.json is missing."));
  const names = Object.keys(fileTexts(makeRun({ steps: 1 })));
  const damaged = await reportOf(
    Object.fromEntries(names.map((name) => [name, '{"step": "x"}\n[1]\n'])),
  );
  assert.ok(damaged.includes("plan.json could not be read and was left out."));
  assert.ok(damaged.includes("metrics.jsonl: 2 lines, the first is line 1, could not be read"));
});

test("a loss that diverged to NaN, which JSON writes as null, is a gap and no error", async () => {
  const run = makeRun({ steps: 6 });
  const last = run.metrics.at(-1);
  if (last !== undefined) last.loss = Number.NaN;
  const page = await reportOf(fileTexts(run));
  assert.equal(dataOf(page).loss.at(-1), null);
  assert.equal(dataOf(page).steps.length, 6);
});
