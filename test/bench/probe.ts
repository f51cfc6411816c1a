// Probes this machine, predicts a step of several layouts of a job, runs them, and
// prints predicted against measured and whether the pick was the fastest.
//
//   node_modules/.bin/node test/bench/probe.ts [--job examples/quickstart.yaml] [--steps 20]
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { stringify } from "yaml";
import { probeJob } from "../../coordinator/cli/probe.ts";
import { toClusterFile } from "../../coordinator/planner/hardware/cluster-document.ts";
import { loadCluster } from "../../coordinator/planner/hardware/cluster-file.ts";
import type { Measured } from "../../coordinator/planner/hardware/measured.ts";
import { probedStepMs } from "../../coordinator/planner/hardware/predict-probed.ts";
import { planJob } from "../../coordinator/planner/plan-job.ts";
import { loadJob } from "../../coordinator/spec/load-job.ts";
import { median, shortJob } from "./jobs.ts";

const ROOT = resolve(import.meta.dirname, "../..");
/** The bounds: error of a prediction, and how far the pick may be from the fastest. */
const MAX_ERROR = 0.15;
const MAX_LOSS = 0.03;
/** Steps in which memory is still being taken. */
const WARM_UP_STEPS = 5;

const LAYOUTS = [
  { pipelineParallel: 2, tensorParallel: 2, dataParallel: 1 },
  { pipelineParallel: 4, tensorParallel: 1, dataParallel: 1 },
  { pipelineParallel: 1, tensorParallel: 1, dataParallel: 4 },
  { pipelineParallel: 2, tensorParallel: 1, dataParallel: 2 },
  { pipelineParallel: 1, tensorParallel: 4, dataParallel: 1 },
];

const { values } = parseArgs({
  options: {
    job: { type: "string", default: join(ROOT, "examples/quickstart.yaml") },
    steps: { type: "string", default: "20" },
    profile: { type: "string" },
  },
});
const scratch = mkdtempSync(join(tmpdir(), "moestro-bench-"));

try {
  const profile = values.profile ?? (await probe());
  const { measured } = await loadCluster(profile);
  const rows = [];
  for (const layout of LAYOUTS) rows.push(await compare(layout, measured as Measured));
  console.log("| PP | TP = EP | DP | predicted ms | measured ms | error |");
  console.log("|---|---|---|---|---|---|");
  for (const { layout, predictedMs, measuredMs } of rows) {
    const error = predictedMs / measuredMs - 1;
    console.log(
      `| ${layout.pipelineParallel} | ${layout.tensorParallel} | ${layout.dataParallel} | ${predictedMs.toFixed(1)} | ${measuredMs.toFixed(1)} | ${(100 * error).toFixed(1)} % |`,
    );
  }
  const errors = rows.map((row) => Math.abs(row.predictedMs / row.measuredMs - 1));
  const [pick] = rows.toSorted((a, b) => a.predictedMs - b.predictedMs);
  const loss = (pick?.measuredMs ?? 0) / Math.min(...rows.map((row) => row.measuredMs)) - 1;
  console.log(
    `largest error ${(100 * Math.max(...errors)).toFixed(1)} % (bound ${100 * MAX_ERROR} %); the pick is ${(100 * loss).toFixed(1)} % slower than the fastest (bound ${100 * MAX_LOSS} %)`,
  );
} finally {
  rmSync(scratch, { recursive: true });
}

async function probe(): Promise<string> {
  const { job } = await loadJob(values.job);
  const path = join(scratch, "profile.yaml");
  const cluster = await probeJob(job, { device: "auto", steps: 6 });
  writeFileSync(path, stringify(toClusterFile(cluster)));
  return path;
}

async function compare(layout: (typeof LAYOUTS)[number], measured: Measured) {
  const name = `pp${layout.pipelineParallel}-tp${layout.tensorParallel}-dp${layout.dataParallel}`;
  const path = join(scratch, `${name}.yaml`);
  const job = shortJob(values.job, Number(values.steps));
  writeFileSync(path, stringify({ ...job, layout: { scheme: "edp", ...layout } }));
  const plan = planJob((await loadJob(path)).job);
  const predictedMs = probedStepMs(measured, {
    ...layout,
    schedule: "1f1b",
    layersPerStage: plan.stages.map(({ numLayers }) => numLayers),
    recomputePerLayer: plan.stages.flatMap(({ numLayers }) => Array(numLayers).fill(0)),
    microBatchSize: plan.microBatchSize,
    numMicroBatches: plan.numMicroBatches,
  });
  const args = ["train", path, "--json", "--run-id", name, "--runs-dir", join(scratch, "runs")];
  execFileSync(process.execPath, [join(ROOT, "bin/moestro.mjs"), ...args], { stdio: "ignore" });
  const measuredMs = stepTime(join(scratch, "runs", name, "metrics.jsonl"));
  return { layout, predictedMs, measuredMs };
}

/** Median step of a run, in ms. */
function stepTime(path: string): number {
  const records = readFileSync(path, "utf8").trim().split("\n");
  const steps = records.map((line) => (JSON.parse(line) as { stepMs: number }).stepMs);
  return median(steps.slice(WARM_UP_STEPS));
}
