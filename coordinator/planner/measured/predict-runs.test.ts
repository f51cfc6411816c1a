import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { MoestroError } from "../../errors.ts";
import { csvField, parseCsv } from "./csv.ts";
import { predictRow, summarise } from "./predict-runs.ts";
import { predictedCsv } from "./prediction-report.ts";
import { readRuns } from "./read-runs.ts";

const HEADER =
  "src,model,gpu,gpus,prec,seq,gbs,mbs,tp,pp,cp,ep,etp,vpp,fsdp,mfu,tflops,tok_s_gpu,step_s,note";
const data = (name: string) =>
  readFileSync(new URL(`../../../data/validation/${name}`, import.meta.url), "utf8");
const predictions = (name: string) => readRuns(data(name), name).rows.map(predictRow);
const one = (line: string) =>
  predictRow(readRuns(`${HEADER}\n${line}`, "runs.csv").rows[0] as never);

test("the published Skywork-MoE 146B run is predicted within 5 % of its 690 tokens a second", () => {
  const [skywork] = predictions("calibration.csv");
  assert.equal(skywork?.measured, 690);
  assert.ok(Math.abs(skywork?.error ?? 1) <= 0.05, `error ${skywork?.error}`);
});

test("MoE runs of Megatron's kind are predicted within 8 % on average, and vTrain within 10 %", () => {
  const errors = (rows: ReturnType<typeof predictions>, kind: string) =>
    summarise(rows.filter((row) => row.kind === kind).map(({ error }) => error ?? 0));
  const moe = errors(predictions("calibration.csv"), "moe");
  assert.equal(moe.rows, 36);
  assert.ok(moe.meanAbsolute <= 0.08, `MoE ${moe.meanAbsolute}`);
  const vtrain = errors(predictions("vtrain-a100.csv"), "vtrain");
  assert.equal(vtrain.rows, 698);
  assert.ok(vtrain.meanAbsolute <= 0.1, `vTrain ${vtrain.meanAbsolute}`);
});

test("nanotron's step times are predicted within 10 % on average, on healthy days and others", () => {
  const rows = predictions("nanotron-h100.csv").filter(({ error }) => error !== null);
  const all = summarise(rows.map(({ error }) => error ?? 0));
  assert.equal(all.rows, 909);
  assert.ok(all.meanAbsoluteStep <= 0.1, `${all.meanAbsoluteStep}`);
  assert.ok(all.medianAbsolute <= 0.06, `${all.medianAbsolute}`);
});

test("rows without a throughput are null with the reason", () => {
  const rows = predictions("nanotron-h100.csv");
  const failed = rows.filter(({ predicted }) => predicted === null);
  assert.ok(failed.length > 1000);
  for (const { reason } of failed) assert.match(reason ?? "", /no throughput: status|is empty/);
});

test("an unknown GPU or model, NaN, negative and impossible numbers are a reason, not an error", () => {
  assert.match(
    one("s,Mixtral-8x22B,TPU v5,128,bf16,4096,256,,2,8,1,4,,,,,,100,,").reason ?? "",
    /gpu "TPU v5"/,
  );
  assert.match(
    one("s,Nobody-7B,H100,128,bf16,4096,256,,2,8,1,4,,,,,,100,,").reason ?? "",
    /model "Nobody-7B"/,
  );
  assert.match(
    one("s,Mixtral-8x22B,H100,NaN,bf16,4096,256,,2,8,1,4,,,,,,100,,").reason ?? "",
    /gpus is "NaN"/,
  );
  assert.match(
    one("s,Mixtral-8x22B,H100,128,bf16,4096,256,,2,8,1,4,,,,,,-5,,").reason ?? "",
    /tok_s_gpu/,
  );
  assert.match(
    one("s,Mixtral-8x22B,H100,128,bf16,4096,256,,3,8,1,4,,,,,,100,,").reason ?? "",
    /do not divide/,
  );
  assert.match(
    one("s,Mixtral-8x22B,H100,128,bf16,4096,256,,2,8,1,4,,,,,,,,").reason ?? "",
    /nothing was measured/,
  );
});

test("a file without the columns it needs is refused in one line that names them", () => {
  assert.throws(
    () => readRuns("model,gpu\nMixtral-8x22B,H100\n", "runs.csv"),
    (error: unknown) =>
      error instanceof MoestroError &&
      error.code === "invalid_input" &&
      error.lines.length === 1 &&
      /gpus, seq, tp, pp are missing/.test(error.message),
  );
  assert.throws(() => readRuns("", "runs.csv"), MoestroError);
});

test("quoted fields with commas, quotes and line breaks survive reading and writing", () => {
  const values = ["a,b", 'say "so"', "two\nlines", "plain"];
  const { rows } = parseCsv(`w,x,y,z\r\n${values.map(csvField).join(",")}\r\n`, "f.csv");
  assert.deepEqual(rows, [{ w: values[0], x: values[1], y: values[2], z: values[3] }]);
});

test("the CSV that is written keeps every column and row of the one that was read", () => {
  const { table, rows } = readRuns(data("calibration.csv"), "calibration.csv");
  const again = parseCsv(predictedCsv(table, rows.map(predictRow)), "out.csv");
  assert.equal(again.rows.length, table.rows.length);
  for (const [index, fields] of table.rows.entries()) {
    for (const name of table.columns) assert.equal(again.rows[index]?.[name], fields[name]);
  }
});
