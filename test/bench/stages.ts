// Non-uniform stages and recompute layer by layer, as the planner picks them, beside
// equal stages with one kind of recompute for all layers, under the same memory limit
// a rank: four pipeline ranks, in turn; prints tokens/s and each plan's measured peak.
//
//   npm run bench:stages -- [--limit 0.85] [--pairs 5] [--steps 12] [--layers 12]
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { stringify } from "yaml";
import { pythonExecutable } from "../../coordinator/environment/python.ts";
import { MoestroError } from "../../coordinator/errors.ts";
import { planJob } from "../../coordinator/planner/plan-job.ts";
import { loadJob } from "../../coordinator/spec/load-job.ts";
import { median, shortJob } from "./jobs.ts";
import { rankEnvironment, startRanks, torchrunArguments } from "./start-ranks.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const NUM_RANKS = 4;
/** The bound on the ratio. */
const TARGET = 1.1;
const WARM_UP_STEPS = 2;

const { values } = parseArgs({
  options: {
    limit: { type: "string", default: "0.85" },
    pairs: { type: "string", default: "5" },
    steps: { type: "string", default: "12" },
    layers: { type: "string", default: "12" },
  },
});
const scratch = mkdtempSync(join(tmpdir(), "moestro-bench-"));
const limitBytes = Number(values.limit) * 1e9;

type Arm = { name: string; start: string; stepsMs: number[]; peakBytes: number };

try {
  const planned = await arm("planned", {});
  const uniform = await uniformArm();
  const ratios: number[] = [];
  for (let pair = 0; pair < Number(values.pairs); pair += 1) {
    const order = pair % 2 === 0 ? [planned, uniform] : [uniform, planned];
    for (const one of order) run(one);
    const [mine = 0, theirs = 0] = [planned.stepsMs.at(-1), uniform.stepsMs.at(-1)];
    ratios.push(theirs / mine);
    console.log(
      `pair ${pair + 1}: planned ${mine.toFixed(0)} ms, uniform ${theirs.toFixed(0)} ms a step`,
    );
  }
  for (const { name, peakBytes } of [planned, uniform]) {
    const verdict = peakBytes <= limitBytes ? "within" : "OVER";
    console.log(
      `${name}: largest rank ${(peakBytes / 1e9).toFixed(3)} GB, ${verdict} ${values.limit} GB`,
    );
  }
  const sorted = ratios.toSorted((a, b) => a - b);
  console.log(
    `tokens/s, planned over uniform: median ${median(ratios).toFixed(3)} (${sorted[0]?.toFixed(3)} to ${sorted.at(-1)?.toFixed(3)}), target at least ${TARGET}`,
  );
} finally {
  rmSync(scratch, { recursive: true });
}

/** Equal stages with the cheapest recompute for all layers that fits the limit. */
async function uniformArm(): Promise<Arm> {
  const layers = Number(values.layers) / NUM_RANKS;
  for (const recompute of ["none", "selective", "full"]) {
    try {
      return await arm("uniform", { stages: Array(NUM_RANKS).fill(layers), recompute });
    } catch (error) {
      if (!(error instanceof MoestroError)) throw error;
      console.log(`uniform with recompute ${recompute}: does not fit`);
    }
  }
  throw new Error(`no uniform plan fits ${values.limit} GB; raise --limit`);
}

async function arm(name: string, layout: object): Promise<Arm> {
  const jobPath = join(scratch, `${name}.yaml`);
  writeFileSync(jobPath, stringify(jobOf(layout)));
  const plan = planJob((await loadJob(jobPath)).job);
  const start = join(scratch, `${name}.bin`);
  writeFileSync(start, (await startRanks(jobPath)).bytes);
  const kinds = plan.stages.map(
    ({ numLayers, recompute }) =>
      `${numLayers} layers (${recompute.filter((kind) => kind === 2).length} full, ${recompute.filter((kind) => kind === 3).length} selective)`,
  );
  const peaks = plan.prediction?.memoryBytes.map((bytes) => (bytes / 1e9).toFixed(2)) ?? [];
  console.log(`${name}: ${kinds.join(" | ")}; predicted ${peaks.join(", ")} GB`);
  return { name, start, stepsMs: [], peakBytes: 0 };
}

function jobOf(layout: object) {
  const job = shortJob(join(ROOT, "examples/quickstart.yaml"), Number(values.steps));
  return {
    ...job,
    model: { ...(job.model as object), layers: Number(values.layers) },
    training: { ...job.training, sequenceLength: 512, globalBatchSize: 32, microBatchSize: 4 },
    layout: { tensorParallel: 1, pipelineParallel: NUM_RANKS, ...layout },
    cluster: { ranks: NUM_RANKS, memoryLimit: Number(values.limit) },
  };
}

/** One run's median step, and the largest rank's peak so far. */
function run(one: Arm): void {
  const standalone = ["-m", "moestro_engine.standalone", one.start, "--reports", scratch];
  const options = { encoding: "utf8", env: rankEnvironment(NUM_RANKS) } as const;
  const result = spawnSync(
    pythonExecutable(),
    [...torchrunArguments(NUM_RANKS), ...standalone],
    options,
  );
  if (result.status !== 0) throw new Error(`torchrun failed:\n${result.stderr}`);
  const times: number[] = [];
  for (let rank = 0; rank < NUM_RANKS; rank += 1) {
    for (const { stepMs, stages } of stepsOf(rank)) {
      if (rank === 0) times.push(stepMs);
      one.peakBytes = Math.max(
        one.peakBytes,
        ...stages.map((stage) => Number(stage.peakMemoryBytes)),
      );
    }
  }
  one.stepsMs.push(median(times.slice(WARM_UP_STEPS)));
}

function stepsOf(rank: number): { stepMs: number; stages: { peakMemoryBytes: string }[] }[] {
  const lines = readFileSync(join(scratch, `rank-${rank}.jsonl`), "utf8")
    .trim()
    .split("\n");
  return lines.map((line) => JSON.parse(line).step).filter((step) => step !== undefined);
}
