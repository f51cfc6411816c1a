import { writeFileSync } from "node:fs";
import { Command, InvalidArgumentError, Option } from "commander";
import { stringify } from "yaml";
import { chooseDevice } from "../environment/device.ts";
import { requirePython } from "../environment/python.ts";
import type { Cluster } from "../planner/hardware/cluster.ts";
import { toClusterFile } from "../planner/hardware/cluster-document.ts";
import { modelFingerprint } from "../planner/hardware/fingerprint.ts";
import type { Measured } from "../planner/hardware/measured.ts";
import { probedCluster } from "../planner/hardware/probe-tables.ts";
import { divisors } from "../planner/layout/sizes.ts";
import { compileJob } from "../spec/compile-job.ts";
import { loadJob } from "../spec/load-job.ts";
import type { Job } from "../spec/schema.ts";
import { runProbe } from "./probe-ranks.ts";

/** Sizes to measure when the job leaves the micro-batch to the planner. */
const MICRO_BATCHES = [1, 2, 4];

interface ProbeOptions {
  ranks?: number;
  out?: string;
  device: "auto" | "cpu" | "cuda";
  steps: number;
  json: boolean;
}

export function probeCommand(): Command {
  return new Command("probe")
    .description("measure this machine with the engine's own layers; writes a cluster file")
    .argument("<job>", "the job file (YAML) whose layers are measured")
    .option("--ranks <n>", "ranks at work (default: the job's)", parseCount)
    .option("--out <file>", "where the cluster file goes (default: standard output)")
    .addOption(
      new Option("--device <device>", "what ranks compute on")
        .choices(["auto", "cpu", "cuda"])
        .default("auto"),
    )
    .option("--steps <n>", "steps behind each figure", parseCount, 6)
    .option("--json", "the cluster file as JSON", false)
    .action(async (path: string, options: ProbeOptions) => {
      const { job } = await loadJob(path);
      const cluster = await probeJob(job, options);
      const document = toClusterFile(cluster);
      const text = options.json ? `${JSON.stringify(document, null, 2)}\n` : stringify(document);
      if (options.out === undefined) process.stdout.write(text);
      else {
        writeFileSync(options.out, text);
        console.log(summary(cluster, options.out));
      }
    });
}

/** Measures a job's layers on this machine with all its ranks at work. */
export async function probeJob(
  job: Job,
  options: Pick<ProbeOptions, "ranks" | "device" | "steps">,
): Promise<Cluster> {
  const ranks = options.ranks ?? job.cluster.ranks;
  const asked = options.device === "auto" ? job.cluster.device : options.device;
  const device = await chooseDevice({ ranks, device: asked });
  const python = await requirePython();
  const tensorParallel = divisors(ranks).filter((size) => isLegal(job, size));
  const { microBatchSize, globalBatchSize } = job.training;
  const microBatches =
    microBatchSize === undefined
      ? MICRO_BATCHES.filter((size) => globalBatchSize % size === 0)
      : [microBatchSize];
  const tables = await runProbe({
    python: python.executable,
    job: compileJob(job, { checkpointDirectory: "", cacheDirectory: "", device }),
    ranks,
    tensorParallel,
    microBatches,
    steps: options.steps,
  });
  return probedCluster(tables, {
    ranks,
    sequenceLength: job.training.sequenceLength,
    hiddenSize: job.model.hiddenSize,
    modelFingerprint: modelFingerprint(job),
  });
}

/** Whether the engine runs this tensor-parallel (and, in edp, expert-parallel) size. */
function isLegal({ model, moe, training }: Job, size: number): boolean {
  return (
    model.heads % size === 0 &&
    (model.kvHeads % size === 0 || size % model.kvHeads === 0) &&
    moe.experts % size === 0 &&
    training.sequenceLength % size === 0
  );
}

function summary(cluster: Cluster, out: string): string {
  const { layers, steps } = cluster.measured as Measured;
  const flops = (cluster.accelerator.peakFlops.fp32 ?? 0) / 1e9;
  const lines = layers
    .filter(({ kind }) => kind === "moe")
    .map(
      (row) =>
        `  layer, TP = EP = ${row.tensorParallel}, micro-batch ${row.microBatchSize}, ${row.busyRanks} busy: forward ${row.forwardMs.toFixed(2)} ms, backward ${row.backwardMs.toFixed(2)} ms`,
    );
  return [
    `${cluster.name}: ${flops.toFixed(0)} GFLOP/s a rank alone, ${layers.length} layer times, ${steps.length} step times`,
    ...lines,
    `written to ${out}; plan with it: moestro plan job.yaml --profile ${out}`,
  ].join("\n");
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 4096) {
    throw new InvalidArgumentError("give a whole number from 1 to 4096");
  }
  return count;
}
