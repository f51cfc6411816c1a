import { type OptimizerSharding, RECOMPUTE_KINDS } from "./cost/workload.ts";
import type { Cluster } from "./hardware/cluster.ts";
import { MAX_GPUS } from "./hardware/cluster-document.ts";
import { CLUSTER_PRESET_NAMES, type ClusterPresetName, clusterPreset } from "./hardware/presets.ts";
import type { ScheduleName } from "./plan-document.ts";
import { type PlanProblem, RESERVED_SHARE } from "./problem-of-job.ts";
import type { Constraints } from "./search/constraints.ts";
import { searchLayouts } from "./search/search-layouts.ts";

/** A change of the problem under which a search found a plan. */
export type FittingChange =
  /** Settings of the job, as it names them, with the value to give. */
  | { kind: "settings"; settings: readonly string[] }
  /** One thing that the job fixes and should not. */
  | { kind: "freed"; setting: string }
  /** The least number of nodes found, the batch unchanged; `settings` change too, if any. */
  | { kind: "nodes"; settings: readonly string[]; nodes: number; gpus: number }
  /** The least memory of a GPU found, and presets that have it and fit at the same count. */
  | { kind: "memory"; memoryGB: number; presets: readonly ClusterPresetName[] };

export interface WhatWouldFit {
  changes: readonly FittingChange[];
  /** Questions asked, each answered by at most two searches. */
  numTried: number;
}

/** Questions after which no more are asked: a count and not a clock, so that answers repeat. */
const MAX_TRIED = 32;
const MAX_DOUBLINGS = 3;
const MAX_NODE_BISECTIONS = 3;
const MAX_MEMORY_BISECTIONS = 5;
const MAX_PRESETS = 3;
/** No GPU has nearly as much. */
const MAX_MEMORY_GB = 500;
const GB = 1e9;

/**
 * What would make a problem fit that has no plan for want of memory: more
 * recompute, more sharding, more GPUs, larger GPUs, or freeing one thing that is
 * fixed, each tried by a search; what no search found is not in the answer.
 *
 * @param missingBytes what the closest plan misses on its fullest GPU; tells where to begin
 */
export function whatWouldFit(problem: PlanProblem, missingBytes: number): WhatWouldFit {
  const trials = new Trials();
  const settings = fittingSettings(trials, problem);
  const freed = freeable(problem)
    .filter(({ freed }) => trials.fits(freed))
    .map(({ setting }): FittingChange => ({ kind: "freed", setting }));
  const nodes = fittingNodes(trials, problem, missingBytes, settings.length === 0);
  const memory = fittingMemory(trials, problem, missingBytes);
  return { changes: [...settings, ...freed, ...nodes, ...memory], numTried: trials.numTried };
}

class Trials {
  numTried = 0;

  /** Whether a search finds a plan; false without one when too much was asked before. */
  fits({ workload, constraints }: PlanProblem): boolean {
    if (this.numTried >= MAX_TRIED) return false;
    this.numTried++;
    return leastMemory(constraints).some(
      (narrowed) => searchLayouts(workload, narrowed).best !== undefined,
    );
  }
}

/** By the memory that they need, least first; DualPipeV holds weights twice. */
const FRUGAL: readonly ScheduleName[] = [
  "1f1b",
  "zero-bubble",
  "interleaved",
  "dualpipev",
  "gpipe",
];

/**
 * The corner of the constraints where plans need least memory, which is much
 * smaller than the whole: micro-batches of one sequence, since a pipeline keeps at
 * least as many sequences alive in larger ones, as much recompute as is allowed,
 * one schedule, and no more chunks than it needs. Under 1F1B even stages are tried
 * first, for they are found fastest.
 */
function leastMemory(constraints: Constraints): Constraints[] {
  const { recompute, schedules, virtualPipeline, layersPerStage } = constraints;
  const kind = (["full", "selective"] as const).find((kind) => recompute.includes(kind));
  const isChunked = virtualPipeline !== undefined && virtualPipeline > 1;
  const isCut = layersPerStage !== undefined;
  const schedule = FRUGAL.find(
    (name) => schedules.includes(name) && (!isChunked || name === "interleaved"),
  );
  const narrowed: Constraints = {
    ...constraints,
    microBatchSize: constraints.microBatchSize ?? 1,
    recompute: kind === undefined ? recompute : [kind],
    schedules: schedule === undefined ? schedules : [schedule],
    virtualPipeline: virtualPipeline ?? (isCut || schedule !== "interleaved" ? undefined : 2),
  };
  const mayBeEven = schedule === "1f1b" && !isCut;
  return mayBeEven ? [{ ...narrowed, evenStages: true }, narrowed] : [narrowed];
}

interface Relief {
  setting: string;
  apply: (problem: PlanProblem) => PlanProblem;
}

/** More recompute and more sharding, as far as the job has not got them already. */
function reliefs({ workload, constraints }: PlanProblem): Relief[] {
  const { recompute, recomputePerLayer } = constraints;
  const isFree = recomputePerLayer === undefined && recompute.includes("full");
  const shardings: OptimizerSharding[] = ["none", "zero1", "fsdp"];
  const further = shardings.slice(shardings.indexOf(workload.optimizerSharding) + 1);
  return [
    ...(isFree
      ? []
      : [{ setting: "layout.recompute auto", apply: (p: PlanProblem) => recomputed(p) }]),
    ...further.map((optimizerSharding) => ({
      setting: `training.optimizerSharding ${optimizerSharding}`,
      apply: (p: PlanProblem) => ({ ...p, workload: { ...p.workload, optimizerSharding } }),
    })),
  ];
}

function recomputed({ workload, constraints }: PlanProblem): PlanProblem {
  const free = { recompute: RECOMPUTE_KINDS, recomputePerLayer: undefined };
  return { workload, constraints: { ...constraints, ...free } };
}

/** All of them at once; the last sharding is the strongest. */
function strongest(problem: PlanProblem): { settings: string[]; relieved: PlanProblem } {
  const all = reliefs(problem);
  const last = all.filter(({ setting }) => setting.startsWith("training.")).at(-1);
  const used = all.filter((relief) => relief === last || !relief.setting.startsWith("training."));
  return {
    settings: used.map(({ setting }) => setting),
    relieved: used.reduce((changed, { apply }) => apply(changed), problem),
  };
}

/** The first of these that is enough alone, or else all together. */
function fittingSettings(trials: Trials, problem: PlanProblem): FittingChange[] {
  const alone = reliefs(problem).filter(({ apply }) => trials.fits(apply(problem)));
  const recompute = alone.find(({ setting }) => setting.startsWith("layout."));
  const sharding = alone.find(({ setting }) => setting.startsWith("training."));
  const found = [recompute, sharding].flatMap((relief) =>
    relief === undefined ? [] : [{ kind: "settings" as const, settings: [relief.setting] }],
  );
  const { settings, relieved } = strongest(problem);
  if (found.length > 0 || settings.length < 2 || !trials.fits(relieved)) return found;
  return [{ kind: "settings", settings }];
}

/** Each thing that is fixed, with the problem where it is not. */
function freeable({ workload, constraints }: PlanProblem) {
  const { fixed, microBatchSize, virtualPipeline, layersPerStage, schedules } = constraints;
  const { target, reserveBytes = 0 } = constraints;
  const usual = RESERVED_SHARE * workload.cluster.accelerator.memoryBytes;
  const rows: [setting: string, isFixed: boolean, free: Partial<Constraints>][] = [
    ["layout.stages", layersPerStage !== undefined, freePipeline(fixed)],
    ...Object.entries(fixed)
      // Stages fix the pipeline, so they go together.
      .filter(([name]) => name !== "pipelineParallel" || layersPerStage === undefined)
      .map(([name, value]): [string, boolean, Partial<Constraints>] => {
        return [`layout.${name}`, value !== undefined, { fixed: { ...fixed, [name]: undefined } }];
      }),
    ["training.microBatchSize", microBatchSize !== undefined, { microBatchSize: undefined }],
    ["layout.virtualPipeline", virtualPipeline !== undefined, { virtualPipeline: undefined }],
    ["layout.schedule", !schedules.includes("1f1b"), { schedules: [...schedules, "1f1b"] }],
    ["--expressible", target !== "any", { target: "any" }],
    ["cluster.memoryReserve", reserveBytes > usual, { reserveBytes: usual }],
  ];
  return rows
    .filter(([, isFixed]) => isFixed)
    .map(([setting, , free]) => ({
      setting,
      freed: { workload, constraints: { ...constraints, ...free } },
    }));
}

function freePipeline(fixed: Constraints["fixed"]): Partial<Constraints> {
  return { layersPerStage: undefined, fixed: { ...fixed, pipelineParallel: undefined } };
}

/** More GPUs alone, and fewer of them with more recompute and sharding. */
function fittingNodes(
  trials: Trials,
  problem: PlanProblem,
  missingBytes: number,
  mayChangeSettings: boolean,
): FittingChange[] {
  const { gpusPerNode, accelerator, nodes } = problem.workload.cluster;
  const changeTo = (found: number, settings: readonly string[]): FittingChange => {
    return { kind: "nodes", settings, nodes: found, gpus: found * gpusPerNode };
  };
  const most = Math.floor(MAX_GPUS / gpusPerNode);
  // The weights alone shrink with more GPUs, so half of what would hold all is too few.
  const short = 1 + missingBytes / accelerator.memoryBytes;
  const first = nodes * 2 ** Math.max(1, Math.ceil(Math.log2(short / 2)));
  const alone = leastFrom(nodes, Math.min(first, most), most, MAX_NODE_BISECTIONS, (count) =>
    trials.fits(withNodes(problem, count)),
  );
  const found = alone === undefined ? [] : [changeTo(alone, [])];
  const { settings, relieved } = strongest(problem);
  if (!mayChangeSettings || settings.length === 0) return found;
  const ceiling = alone ?? Math.min(first, most);
  const fewer = leastFrom(nodes, ceiling, ceiling, MAX_NODE_BISECTIONS, (count) =>
    count === alone ? true : trials.fits(withNodes(relieved, count)),
  );
  return fewer === undefined || fewer === alone ? found : [...found, changeTo(fewer, settings)];
}

function withNodes({ workload, constraints }: PlanProblem, nodes: number): PlanProblem {
  const cluster = { ...workload.cluster, nodes };
  return {
    workload: { ...workload, cluster },
    constraints: { ...constraints, ranks: nodes * cluster.gpusPerNode },
  };
}

function fittingMemory(
  trials: Trials,
  problem: PlanProblem,
  missingBytes: number,
): FittingChange[] {
  const { accelerator } = problem.workload.cluster;
  const has = Math.floor(accelerator.memoryBytes / GB);
  // What is missing, and what the allocator leaves unused of it.
  const enough = Math.ceil((accelerator.memoryBytes + 1.15 * missingBytes) / GB);
  const first = Math.min(enough, MAX_MEMORY_GB);
  const memoryGB = leastFrom(has, first, MAX_MEMORY_GB, MAX_MEMORY_BISECTIONS, (gigabytes) =>
    trials.fits(withAccelerator(problem, { ...accelerator, memoryBytes: gigabytes * GB })),
  );
  if (memoryGB === undefined) return [];
  const presets = largerPresets(problem, memoryGB)
    .filter(({ cluster }) => trials.fits(withCluster(problem, cluster)))
    .map(({ name }) => name);
  return [{ kind: "memory", memoryGB, presets }];
}

/** Presets with at least this memory and the job's precision, one of each size, least first. */
function largerPresets({ workload }: PlanProblem, memoryGB: number) {
  const { nodes, gpusPerNode } = workload.cluster;
  const bySize = new Map<number, { name: ClusterPresetName; cluster: Cluster }>();
  for (const name of CLUSTER_PRESET_NAMES) {
    const cluster = clusterPreset(name, nodes, gpusPerNode);
    const { memoryBytes, peakFlops } = cluster.accelerator;
    const isUsable = name !== "cpu" && peakFlops[workload.precision] !== undefined;
    if (!isUsable || memoryBytes < memoryGB * GB || bySize.has(memoryBytes)) continue;
    bySize.set(memoryBytes, { name, cluster });
  }
  return [...bySize]
    .sort(([a], [b]) => a - b)
    .slice(0, MAX_PRESETS)
    .map(([, preset]) => preset);
}

function withAccelerator(problem: PlanProblem, accelerator: Cluster["accelerator"]): PlanProblem {
  return withCluster(problem, { ...problem.workload.cluster, accelerator });
}

/** The reserve is kept as it is, or as a share where it was the usual share. */
function withCluster({ workload, constraints }: PlanProblem, cluster: Cluster): PlanProblem {
  const { reserveBytes } = constraints;
  const isUsual = reserveBytes === RESERVED_SHARE * workload.cluster.accelerator.memoryBytes;
  const kept = isUsual ? RESERVED_SHARE * cluster.accelerator.memoryBytes : reserveBytes;
  return {
    workload: { ...workload, cluster },
    constraints: { ...constraints, reserveBytes: kept },
  };
}

/**
 * The least number found to be enough, by doubling from `first` and halving the
 * distance to the largest found too small; `tooFew` is known to be.
 */
function leastFrom(
  tooFew: number,
  first: number,
  most: number,
  maxBisections: number,
  isEnough: (count: number) => boolean,
): number | undefined {
  let low = tooFew;
  let high = first;
  for (let doublings = 0; !isEnough(high); doublings++) {
    if (doublings === MAX_DOUBLINGS || high >= most) return undefined;
    low = high;
    high = Math.min(2 * high, most);
  }
  for (let steps = 0; steps < maxBisections && high - low > 1; steps++) {
    const middle = Math.floor((low + high) / 2);
    if (isEnough(middle)) high = middle;
    else low = middle;
  }
  return high;
}
