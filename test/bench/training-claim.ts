// The Skywork-MoE report's claims on training, measured on the demo's model and data:
// gate normalisation on and off, the adaptive coefficient against fixed ones, some seeds
// each. Writes results.json, table.md, figures (SVG) and report.html.
//
//   npm run bench:training-claim -- [--steps 300] [--batch <the job's>] [--seeds 1,2,3]
//                                   [--fixed 0.01,0.001] [--job examples/quickstart.yaml]
//                                   [--out runs/training-claim]
//
// Runs that a former call finished with the same job are not run again.
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { readJob } from "./jobs.ts";
import { armsOf, cellsOf, jobOfCell } from "./training-claim/grid.ts";
import { Runs } from "./training-claim/run-cell.ts";
import { summarize } from "./training-claim/summarize.ts";
import { NUM_STYLES } from "./training-claim/svg-chart.ts";
import { writeResults } from "./training-claim/write-results.ts";

const ROOT = resolve(import.meta.dirname, "../..");
/** Fewer leave no thirds and no curves to speak of. */
const MIN_STEPS = 6;

const { values } = parseArgs({
  options: {
    steps: { type: "string", default: "300" },
    batch: { type: "string" },
    seeds: { type: "string", default: "1,2,3" },
    fixed: { type: "string", default: "0.01,0.001" },
    out: { type: "string", default: join(ROOT, "runs/training-claim") },
    job: { type: "string", default: join(ROOT, "examples/quickstart.yaml") },
  },
});
const steps = Number(values.steps);
const seeds = values.seeds.split(",").map(Number);
if (!Number.isInteger(steps) || steps < MIN_STEPS) {
  fail(`--steps ${values.steps}: must be a whole number of at least ${MIN_STEPS}`);
}
const job = readJob(values.job);
const batch = Number(values.batch ?? job.training.globalBatchSize);
if (!Number.isInteger(batch) || batch < 1) {
  fail(`--batch ${values.batch}: must be a whole number of sequences in a step`);
}
if (seeds.some((seed) => !Number.isInteger(seed) || seed < 0)) {
  fail(`--seeds ${values.seeds}: must be whole numbers with commas between them, such as 1,2,3`);
}

const coefficients = values.fixed.split(",").map(Number);
if (coefficients.length >= NUM_STYLES || coefficients.some((one) => !(one > 0))) {
  fail(
    `--fixed ${values.fixed}: must be one to ${NUM_STYLES - 1} positive numbers, such as 0.01,0.001`,
  );
}

const runs = new Runs(join(values.out, "runs"));
const arms = armsOf(coefficients);
const cells = cellsOf(arms, seeds);
for (const [index, cell] of cells.entries()) {
  const cellJob = jobOfCell(job, cell, { steps, batch });
  if (runs.isFinished(cell.id, cellJob)) continue;
  console.error(`run ${index + 1} of ${cells.length}: ${cell.id}`);
  runs.train(cell.id, cellJob);
}
const results = summarize(arms, cells, (id) => runs.metrics(id));
for (const line of writeResults(values.out, results)) console.log(line);

function fail(message: string): never {
  console.error(`bench:training-claim: ${message}`);
  process.exit(2);
}
