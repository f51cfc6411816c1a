import { RECOMPUTE_KINDS, type Workload } from "../../coordinator/planner/cost/workload.ts";
import {
  type ClusterPresetName,
  clusterPreset,
} from "../../coordinator/planner/hardware/presets.ts";
import {
  MODEL_NAMES,
  MODEL_SHAPES,
  type ModelName,
} from "../../coordinator/planner/model/shapes.ts";
import type { PartitionProblem } from "../../coordinator/planner/partition/problem.ts";
import { solvePartition } from "../../coordinator/planner/partition/solve-partition.ts";
import { costCandidate } from "../../coordinator/planner/search/candidate.ts";
import { modelParts } from "../../coordinator/planner/search/model-parts.ts";
import { partitionProblem } from "../../coordinator/planner/search/solve-candidate.ts";
import { table } from "../../coordinator/planner/text-table.ts";

/** The largest gap that is aimed at. */
const AIMED_GAP = 0.005;

const GPUS: readonly ClusterPresetName[] = ["a800", "a100-40", "h100", "h800", "b200"];
const NUM_STAGES = [8, 10, 12, 14, 16];

/** TP, DP, and micro-batches over stages; EP is 8 where the model has experts. */
const LAYOUTS = [
  { tp: 1, dp: 8, rounds: 4 },
  { tp: 4, dp: 8, rounds: 8 },
  { tp: 8, dp: 8, rounds: 2 },
  { tp: 2, dp: 8, rounds: 0.5 },
];

/** Where the memory lies between what the tightest split needs (0) and the fastest (1). */
const MEMORY = [2, 0.6, 0.3, 0.1, 0.03];

interface Solve {
  what: string;
  model: ModelName;
  gap: number;
  ms: number;
}

/**
 * Gaps and times of the solver for every model of the presets on several
 * clusters, 8 to 16 stages, and memory from ample to just enough; and for
 * Skywork-MoE's published layout.
 */
export function sweep(): void {
  const published = problemOf("skywork-moe-146b", "a800", 12, {
    tp: 4,
    dp: 32,
    microBatches: 128,
    ep: 4,
    sequenceLength: 8192,
  });
  const skywork = solve(published, "skywork-moe-146b", "skywork-moe-146b, published layout");
  const all: Solve[] = [];
  for (const model of MODEL_NAMES) {
    for (const gpu of GPUS) {
      for (const stages of NUM_STAGES) {
        for (const layout of LAYOUTS) {
          const { heads } = MODEL_SHAPES[model].attention;
          if (heads % layout.tp === 0) all.push(...solves(model, gpu, stages, layout));
        }
      }
    }
  }
  print(all, skywork);
}

function solves(
  model: ModelName,
  gpu: ClusterPresetName,
  stages: number,
  { tp, dp, rounds }: (typeof LAYOUTS)[number],
): Solve[] {
  const microBatches = Math.ceil(stages * rounds);
  const problem = problemOf(model, gpu, stages, {
    tp,
    dp,
    microBatches,
    ep: 8,
    sequenceLength: 4096,
  });
  if (problem.layers.length < stages) return [];
  const nothing = solvePartition({ ...problem, memoryBytes: 0 });
  const everything = solvePartition({ ...problem, memoryBytes: 1e15 });
  if (!("missingBytes" in nothing) || "missingBytes" in everything) {
    throw new Error(`${model}: fits nothing, or does not fit anything`);
  }
  const least = nothing.missingBytes;
  const most = Math.max(...everything.stages.map(({ memoryBytes }) => memoryBytes));
  return MEMORY.map((share) => {
    const memoryBytes = least + share * (most - least);
    const what = `${model} on ${gpu}, ${stages} stages, TP ${tp}, ${microBatches} micro-batches, memory ${share}`;
    return solve({ ...problem, memoryBytes }, model, what);
  });
}

function solve(problem: PartitionProblem, model: ModelName, what: string): Solve {
  const start = performance.now();
  const solution = solvePartition(problem);
  const ms = performance.now() - start;
  if ("missingBytes" in solution) throw new Error(`${what}: ${solution.reason}`);
  return { what, model, gap: solution.gap, ms };
}

function print(all: readonly Solve[], skywork: Solve): void {
  const header = ["model", "problems", "gap: median", "99 %", "largest", "time: median", "largest"];
  const row = (name: string, some: readonly Solve[]) => {
    const gaps = some.map(({ gap }) => gap);
    const times = some.map(({ ms }) => ms);
    return [
      name,
      `${some.length}`,
      ...[0.5, 0.99, 1].map((share) => `${(100 * quantile(gaps, share)).toFixed(3)} %`),
      ...[0.5, 1].map((share) => `${quantile(times, share).toFixed(1)} ms`),
    ];
  };
  const rows = MODEL_NAMES.map((name) =>
    row(
      name,
      all.filter(({ model }) => model === name),
    ),
  );
  console.log(table([header, ...rows, row("all", all)]).join("\n"));
  const { gap } = skywork;
  console.log(`\n${skywork.what}: gap ${(100 * gap).toFixed(3)} %`);
  const missed = all.filter((each) => each.gap > AIMED_GAP);
  console.log(`above ${100 * AIMED_GAP} %: ${missed.length} of ${all.length}`);
  for (const { what, gap } of missed) console.log(`  ${what}: ${(100 * gap).toFixed(3)} %`);
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

function problemOf(
  model: ModelName,
  gpu: ClusterPresetName,
  stages: number,
  sizes: { tp: number; dp: number; microBatches: number; ep: number; sequenceLength: number },
): PartitionProblem {
  const { tp, dp, microBatches, sequenceLength } = sizes;
  const shape = MODEL_SHAPES[model];
  const ep = shape.moe === undefined ? 1 : sizes.ep;
  const ranks = tp * dp * stages;
  const workload: Workload = {
    model: shape,
    cluster: clusterPreset(gpu, ranks / 8, 8),
    sequenceLength,
    globalBatchSize: microBatches * dp,
    precision: "bf16",
    capacityFactor: 1.25,
    imbalance: 1,
    optimizerSharding: "zero1",
    stack: "megatron",
  };
  const placement = {
    tensorParallel: tp,
    contextParallel: 1,
    pipelineParallel: stages,
    dataParallel: dp,
    expertParallel: ep,
    expertTensorParallel: 1,
    expertDataParallel: (tp * dp) / ep,
    virtualPipeline: 1,
    microBatchSize: 1,
  };
  const parts = modelParts(shape, false);
  const constraints = {
    ranks,
    fixed: {},
    schedules: ["1f1b"] as const,
    recompute: RECOMPUTE_KINDS,
    target: "any" as const,
  };
  return partitionProblem(costCandidate(workload, placement, parts), parts, constraints, "1f1b");
}
