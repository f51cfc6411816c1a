// Speed of the free layout search on one core, and what unequal stages with
// recompute per layer gain over the best uniform plan on real models and clusters.
//
//   node_modules/.bin/node test/bench/planner.ts
import { RECOMPUTE_KINDS, type Workload } from "../../coordinator/planner/cost/workload.ts";
import {
  type ClusterPresetName,
  clusterPreset,
} from "../../coordinator/planner/hardware/presets.ts";
import { MODEL_SHAPES, type ModelName } from "../../coordinator/planner/model/shapes.ts";
import type { Constraints } from "../../coordinator/planner/search/constraints.ts";
import { searchLayouts } from "../../coordinator/planner/search/search-layouts.ts";
import { bestUniform } from "../../coordinator/planner/search/uniform.ts";
import { table } from "../../coordinator/planner/text-table.ts";
import { median } from "./jobs.ts";

const NUM_RUNS = 5;

/** Calculon's search on two cores like these, as docs/planner.md has it. */
const CALCULON = { configurations: 8112, seconds: 31 };

/** Share of a GPU's memory left free, as `moestro plan` does. */
const RESERVED_SHARE = 0.04;

/** The median gain that is aimed at, in %. */
const AIMED_GAIN = 10;

interface Pair {
  model: ModelName;
  gpu: ClusterPresetName;
  /** Of 8 GPUs. */
  nodes: number;
  sequenceLength: number;
  globalBatchSize: number;
  precision?: "fp8";
  /** TP, PP, CP, EP and ETP of the same-layout comparison, micro-batches of 1. */
  layout: [tp: number, pp: number, cp: number, ep: number, etp: number];
  /** Whether that layout is a published run's; else one that is usual for the model. */
  isPublished: boolean;
}

const PAIRS = [
  pair("skywork-moe-146b", "a800", 192, [8192, 4096], [4, 12, 1, 4, 1], true),
  pair("skywork-13b", "a800", 64, [4096, 4096], [1, 2, 1, 1, 1], true),
  pair("mixtral-8x7b", "h100", 8, [4096, 256], [1, 4, 1, 8, 1], false),
  pair("mixtral-8x22b", "h100", 16, [4096, 256], [2, 8, 1, 8, 1], true),
  pair("mixtral-8x22b-g8t8", "h100", 16, [4096, 256], [4, 8, 1, 8, 1], false),
  pair("qwen2-57b-a14b", "h100", 8, [4096, 256], [2, 4, 1, 4, 1], true),
  pair("qwen3-30b-a3b", "h100", 4, [4096, 512], [1, 4, 1, 8, 1], false),
  pair("qwen3-235b-a22b", "h100", 32, [4096, 2048], [2, 8, 1, 32, 1], true),
  pair("deepseek-v2", "h800", 64, [4096, 9216], [1, 16, 1, 8, 1], true),
  { ...pair("deepseek-v3", "h800", 256, [4096, 15_360], [1, 16, 1, 64, 1], true), ...fp8() },
  { ...pair("deepseek-v3", "h100", 128, [4096, 8192], [2, 8, 1, 64, 1], true), ...fp8() },
  pair("grok-1", "h100", 64, [8192, 1024], [4, 8, 2, 8, 4], true),
  pair("dbrx", "h100", 48, [4096, 768], [2, 8, 1, 8, 1], false),
  pair("gpt-oss-120b", "h100", 16, [4096, 512], [1, 8, 1, 8, 1], false),
  pair("llama3-405b", "h100", 2048, [8192, 2048], [8, 16, 1, 1, 1], true),
  pair("llama3-70b", "h100", 8, [8192, 128], [4, 4, 1, 1, 1], false),
  pair("llama2-70b", "a100-80", 8, [4096, 128], [4, 4, 1, 1, 1], false),
  pair("llama2-70b", "a100-40", 16, [4096, 512], [8, 4, 1, 1, 1], false),
  pair("mixtral-8x7b", "a100-40", 8, [4096, 256], [2, 4, 1, 8, 1], false),
  pair("llama2-13b", "a100-40", 2, [4096, 128], [1, 8, 1, 1, 1], false),
];

// CPU time, all threads of the process, is there for machines with other work on them.
speed();
gains();

function speed(): void {
  const rows = [
    [
      "search",
      "first",
      "best of 5",
      "CPU first",
      "CPU best",
      "candidates",
      "solved",
      "candidates/s",
    ],
  ];
  for (const [nodes, globalBatchSize] of [
    [192, 4096],
    [2048, 16_384],
  ] as const) {
    const searched = pair(
      "skywork-moe-146b",
      "a800",
      nodes,
      [8192, globalBatchSize],
      [1, 1, 1, 1, 1],
      false,
    );
    const workload = workloadOf(searched);
    const runs = Array.from({ length: NUM_RUNS }, () => {
      const start = performance.now();
      const cpu = process.cpuUsage();
      const { numCandidates, numSolved } = searchLayouts(workload, constraintsOf(workload));
      const { user, system } = process.cpuUsage(cpu);
      const cpuMs = (user + system) / 1000;
      return { ms: performance.now() - start, cpuMs, numCandidates, numSolved };
    });
    const [first] = runs;
    if (first === undefined) throw new RangeError("no run");
    const { ms, cpuMs, numCandidates, numSolved } = first;
    const best = Math.min(...runs.map((run) => run.ms));
    rows.push([
      `skywork-moe-146b on ${8 * nodes} A800`,
      `${ms.toFixed(0)} ms`,
      `${best.toFixed(0)} ms`,
      `${cpuMs.toFixed(0)} ms`,
      `${Math.min(...runs.map((run) => run.cpuMs)).toFixed(0)} ms`,
      String(numCandidates),
      String(numSolved),
      `${((1000 * numCandidates) / ms).toFixed(0)} first, ${((1000 * numCandidates) / best).toFixed(0)} best`,
    ]);
  }
  console.log(table(rows).join("\n"));
  const { configurations, seconds } = CALCULON;
  console.log(
    `Calculon: ${(configurations / seconds).toFixed(0)} configurations/s (${configurations} in ${seconds} s on two cores)`,
  );
  console.log(`peak resident memory ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MiB\n`);
}

function gains(): void {
  const rows = [
    ["model", "GPUs", "free layouts", "", "same layout", "", "TP/PP/CP/EP/ETP", "", "gap"],
  ];
  const free: Gain[] = [];
  const same: Gain[] = [];
  for (const entry of PAIRS) {
    const workload = workloadOf(entry);
    const [tensorParallel, pipelineParallel, contextParallel, expertParallel, etp] = entry.layout;
    const sizes = { tensorParallel, pipelineParallel, contextParallel, expertParallel };
    const open = constraintsOf(workload);
    const fixed = { ...sizes, expertTensorParallel: etp };
    const [any, alike] = [
      gain(workload, open),
      gain(workload, { ...open, fixed, microBatchSize: 1 }),
    ];
    free.push(any);
    same.push(alike);
    rows.push([
      entry.model,
      `${8 * entry.nodes} ${entry.gpu}`,
      percent(any.percent),
      any.uniform,
      percent(alike.percent),
      alike.uniform,
      entry.layout.join("/"),
      entry.isPublished ? "published" : "usual",
      `${(100 * Math.max(any.gap, alike.gap)).toFixed(3)} %`,
    ]);
  }
  console.log(table(rows).join("\n"));
  console.log("(behind each gain: what the uniform plan recomputes)");
  console.log(`free layouts: ${summary(free)}`);
  console.log(`same layout:  ${summary(same)}`);
}

interface Gain {
  /** How much longer the best uniform plan takes; infinite where only the other fits. */
  percent: number | undefined;
  /** What every layer of the uniform plan recomputes. */
  uniform: string;
  /** Of the plan's certificate. */
  gap: number;
}

function gain(workload: Workload, constraints: Constraints): Gain {
  const { best } = searchLayouts(workload, constraints);
  if (best === undefined) return { percent: undefined, uniform: "", gap: 0 };
  const { gap } = best;
  const uniform = bestUniform(workload, constraints);
  if (uniform === null) return { percent: Number.POSITIVE_INFINITY, uniform: "", gap };
  const percent = 100 * (uniform.predicted.stepTimeMs / best.stepTimeMs - 1);
  return { percent, uniform: uniform.stages[0]?.recompute[0] ?? "none", gap };
}

function summary(gains: readonly Gain[]): string {
  const all = percents(gains);
  const bound = percents(gains.filter(({ uniform }) => uniform !== "none"));
  const missed = AIMED_GAIN - median(all);
  const verdict =
    missed > 0 ? `misses the aim of ${AIMED_GAIN} % by ${missed.toFixed(1)} points` : "as aimed";
  const tight =
    bound.length === 0
      ? "no uniform plan recomputes"
      : `median ${median(bound).toFixed(1)} % over the ${bound.length} whose uniform plan recomputes or does not fit`;
  return `median ${median(all).toFixed(1)} % over ${all.length} pairs: ${verdict}; ${tight}`;
}

function percents(gains: readonly Gain[]): number[] {
  return gains.map((each) => each.percent).filter((value) => value !== undefined);
}

function percent(value: number | undefined): string {
  if (value === undefined) return "nothing fits";
  return Number.isFinite(value) ? `+${value.toFixed(1)} %` : "uniform does not fit";
}

function pair(
  model: ModelName,
  gpu: ClusterPresetName,
  nodes: number,
  [sequenceLength, globalBatchSize]: [number, number],
  layout: Pair["layout"],
  isPublished: boolean,
): Pair {
  return { model, gpu, nodes, sequenceLength, globalBatchSize, layout, isPublished };
}

function fp8(): { precision: "fp8" } {
  return { precision: "fp8" };
}

function workloadOf(entry: Pair): Workload {
  const { model, gpu, nodes, sequenceLength, globalBatchSize, precision = "bf16" } = entry;
  return {
    model: MODEL_SHAPES[model],
    cluster: clusterPreset(gpu, nodes, 8),
    sequenceLength,
    globalBatchSize,
    precision,
    capacityFactor: 1.25,
    imbalance: 1,
    optimizerSharding: "zero1",
    stack: "megatron",
  };
}

function constraintsOf({ cluster }: Workload): Constraints {
  return {
    ranks: cluster.nodes * cluster.gpusPerNode,
    fixed: {},
    schedules: ["1f1b"],
    recompute: RECOMPUTE_KINDS,
    target: "any",
    reserveBytes: RESERVED_SHARE * cluster.accelerator.memoryBytes,
  };
}
