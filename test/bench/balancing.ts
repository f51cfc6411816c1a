// What the adaptive auxiliary loss does: the demo's job with it and with
// balancing: none, same seed, one after the other; prints both drop rates.
//
//   npm run bench:balancing -- [--steps N] [--job examples/quickstart.yaml]
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { stringify } from "yaml";
import type { MetricsRecord, SummaryRecord } from "../../coordinator/report/records.ts";
import { readJob } from "./jobs.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const { values } = parseArgs({
  options: {
    steps: { type: "string" },
    job: { type: "string", default: join(ROOT, "examples/quickstart.yaml") },
  },
});
const scratch = mkdtempSync(join(tmpdir(), "moestro-bench-"));

try {
  const rows = ["adaptive", "none"].map(run);
  console.log("balancing   first tenth   last tenth   validation loss   coefficients at the end");
  for (const { balancing, summary, coefficients } of rows) {
    const rate = (value: number | null) => `${((value ?? 0) * 100).toFixed(2)} %`.padEnd(12);
    const loss = (summary.validationLoss ?? 0).toFixed(4).padEnd(15);
    const ends = coefficients.map((value) => value.toFixed(4)).join(" ");
    console.log(
      `${balancing.padEnd(10)}  ${rate(summary.meanDropRateFirst)}  ${rate(summary.meanDropRateLast)} ${loss}   ${ends}`,
    );
  }
  const [adaptive = 0, none = 0] = rows.map(({ summary }) => summary.meanDropRateLast ?? 0);
  console.log(`drop rate at the end, adaptive over none: ${(adaptive / none).toFixed(3)}`);
} finally {
  rmSync(scratch, { recursive: true });
}

function run(balancing: string) {
  const job = readJob(values.job);
  job.moe = { ...job.moe, balancing };
  if (values.steps) job.training = { ...job.training, steps: Number(values.steps) };
  const path = join(scratch, `${balancing}.yaml`);
  writeFileSync(path, stringify(job));
  console.error(`training with balancing: ${balancing}`);
  const args = [
    "train",
    path,
    "--json",
    "--run-id",
    balancing,
    "--runs-dir",
    join(scratch, "runs"),
  ];
  execFileSync(process.execPath, [join(ROOT, "bin/moestro.mjs"), ...args], { stdio: "ignore" });
  const read = (name: string) => readFileSync(join(scratch, "runs", balancing, name), "utf8");
  const summary = JSON.parse(read("summary.json")) as SummaryRecord;
  const last = JSON.parse(read("metrics.jsonl").trim().split("\n").at(-1) ?? "{}") as MetricsRecord;
  return { balancing, summary, coefficients: last.layers.map(({ auxCoeff }) => auxCoeff) };
}
