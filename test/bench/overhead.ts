// What the control plane costs: the same ranks with coordinator and agent, and
// under plain torchrun, in turn; prints the ratio of median step times.
//
//   npm run bench:overhead -- [--pairs 5] [--steps 60] [--job examples/quickstart.yaml]
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { stringify } from "yaml";
import { pythonExecutable } from "../../coordinator/environment/python.ts";
import { median, shortJob } from "./jobs.ts";
import { rankEnvironment, startRanks, torchrunArguments } from "./start-ranks.ts";

const ROOT = resolve(import.meta.dirname, "../..");
/** The bound on the ratio. */
const TARGET = 1.02;

const { values } = parseArgs({
  options: {
    pairs: { type: "string", default: "5" },
    steps: { type: "string", default: "60" },
    job: { type: "string", default: join(ROOT, "examples/quickstart.yaml") },
  },
});
const scratch = mkdtempSync(join(tmpdir(), "moestro-bench-"));
const jobPath = join(scratch, "job.yaml");

try {
  const job = shortJob(values.job, Number(values.steps));
  writeFileSync(jobPath, stringify(job));
  const start = join(scratch, "start.bin");
  const { bytes, worldSize } = await startRanks(jobPath);
  writeFileSync(start, bytes);
  const ratios: number[] = [];
  for (let pair = 0; pair < Number(values.pairs); pair += 1) {
    // The order changes from pair to pair, so that drift favours neither.
    const arms = [() => withControlPlane(pair), () => withTorchrun(start, worldSize)];
    const times =
      pair % 2 === 0
        ? arms.map((run) => run())
        : arms
            .toReversed()
            .map((run) => run())
            .toReversed();
    const [controlled = 0, plain = 0] = times;
    ratios.push(controlled / plain);
    console.log(
      `pair ${pair + 1}: moestro ${controlled.toFixed(2)} ms, torchrun ${plain.toFixed(2)} ms a step, ratio ${(controlled / plain).toFixed(4)}`,
    );
  }
  const sorted = ratios.toSorted((a, b) => a - b);
  console.log(
    `control plane's cost: median ratio ${median(ratios).toFixed(4)} (${sorted[0]?.toFixed(4)} to ${sorted.at(-1)?.toFixed(4)}, ${ratios.length} pairs), target at most ${TARGET}`,
  );
} finally {
  rmSync(scratch, { recursive: true });
}

/** Median step time of rank 0 in ms, as the rank measured it. */
function withControlPlane(pair: number): number {
  const runId = `pair-${pair}`;
  const args = ["train", jobPath, "--json", "--run-id", runId, "--runs-dir", join(scratch, "runs")];
  execFileSync(process.execPath, [join(ROOT, "bin/moestro.mjs"), ...args], { stdio: "ignore" });
  return stepTime(
    readFileSync(join(scratch, "runs", runId, "logs/generation-1/rank-0.log"), "utf8"),
  );
}

function withTorchrun(start: string, worldSize: number): number {
  const args = [...torchrunArguments(worldSize), "-m", "moestro_engine.standalone", start];
  const options = { encoding: "utf8", env: rankEnvironment(worldSize) } as const;
  const result = spawnSync(pythonExecutable(), args, options);
  if (result.status !== 0) throw new Error(`torchrun failed:\n${result.stderr}`);
  return stepTime(result.stdout);
}

function stepTime(output: string): number {
  const found = /rank 0: median step ([\d.]+) ms/.exec(output)?.[1];
  if (found === undefined) throw new Error(`no step time in:\n${output}`);
  return Number(found);
}
