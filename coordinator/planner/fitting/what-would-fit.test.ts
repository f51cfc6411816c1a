import assert from "node:assert/strict";
import { test } from "node:test";
import { RECOMPUTE_KINDS, type Workload } from "../cost/workload.ts";
import { clusterPreset } from "../hardware/presets.ts";
import type { ModelShape } from "../model/model-shape.ts";
import { MODEL_SHAPES } from "../model/shapes.ts";
import { noPlanError } from "../no-plan.ts";
import { type PlanProblem, RESERVED_SHARE } from "../problem-of-job.ts";
import type { Constraints } from "../search/constraints.ts";
import { searchLayouts } from "../search/search-layouts.ts";
import type { FittingChange } from "./fitting-change.ts";
import { whatWouldFit } from "./what-would-fit.ts";

const MIXTRAL = MODEL_SHAPES["mixtral-8x7b"] as ModelShape;
const GB = 1e9;

/** Mixtral, some layers of it, on H100s of 8 a node. */
function problemOf(
  layers: number,
  nodes: number,
  workload: Partial<Workload> = {},
  constraints: Partial<Constraints> = {},
): PlanProblem {
  const cluster = workload.cluster ?? clusterPreset("h100", nodes, 8);
  return {
    workload: {
      model: { ...MIXTRAL, layers: MIXTRAL.layers.slice(0, layers) },
      cluster,
      sequenceLength: 4096,
      globalBatchSize: 64,
      precision: "bf16",
      capacityFactor: 1.25,
      imbalance: 1,
      optimizerSharding: "zero1",
      stack: "megatron",
      ...workload,
    },
    constraints: {
      ranks: cluster.nodes * cluster.gpusPerNode,
      fixed: {},
      schedules: ["1f1b"],
      recompute: RECOMPUTE_KINDS,
      target: "any",
      reserveBytes: RESERVED_SHARE * cluster.accelerator.memoryBytes,
      ...constraints,
    },
  };
}

/** Asks what would fit, after a search of everything found nothing. */
function askedOf(problem: PlanProblem) {
  const { best, closest } = searchLayouts(problem.workload, problem.constraints);
  assert.equal(best, undefined);
  assert.ok(closest !== undefined);
  return { ...whatWouldFit(problem, closest.missingBytes), closest };
}

function only<Kind extends FittingChange["kind"]>(changes: readonly FittingChange[], kind: Kind) {
  return changes.filter((change): change is FittingChange & { kind: Kind } => change.kind === kind);
}

const isFound = ({ workload, constraints }: PlanProblem) =>
  searchLayouts(workload, constraints).best !== undefined;

test("more GPUs are found that fit, and the full search agrees that fewer nodes do not", () => {
  const { changes } = askedOf(problemOf(32, 1));
  const [more] = only(changes, "nodes");
  assert.deepEqual(more, { kind: "nodes", settings: [], nodes: 2, gpus: 16 });
  assert.ok(isFound(problemOf(32, 2)));
});

test("the least memory of a GPU fits, a tenth less does not, and presets of it are named", () => {
  const { changes } = askedOf(problemOf(32, 1));
  const [larger] = only(changes, "memory");
  assert.ok(larger !== undefined);
  const cluster = clusterPreset("h100", 1, 8);
  const withMemory = (memoryBytes: number): PlanProblem =>
    problemOf(32, 1, {
      cluster: { ...cluster, accelerator: { ...cluster.accelerator, memoryBytes } },
    });
  assert.ok(isFound(withMemory(larger.memoryGB * GB)));
  assert.ok(!isFound(withMemory(0.9 * larger.memoryGB * GB)));
  assert.deepEqual(larger.presets, ["h200", "b200", "gb200"]);
  assert.ok(larger.memoryGB > 80 && larger.memoryGB <= 141);
});

test("recompute is named where the job fixes too little of it and more is enough", () => {
  const problem = problemOf(16, 1, { sequenceLength: 65_536 }, { recompute: ["none"] });
  const { changes } = askedOf(problem);
  const settings = only(changes, "settings").map((change) => change.settings);
  assert.deepEqual(settings, [["layout.recompute auto"]]);
  const free = { ...problem.constraints, recompute: RECOMPUTE_KINDS };
  assert.ok(isFound({ ...problem, constraints: free }));
});

/** Every GPU holds all the weights. */
const WHOLE = {
  tensorParallel: 1,
  pipelineParallel: 1,
  expertParallel: 1,
  expertTensorParallel: 1,
};

test("the least sharding is named that is enough", () => {
  for (const [layers, enough] of [
    [4, "zero1"],
    [8, "fsdp"],
  ] as const) {
    const problem = problemOf(layers, 1, { optimizerSharding: "none" }, { fixed: WHOLE });
    const settings = only(askedOf(problem).changes, "settings").map((change) => change.settings);
    assert.deepEqual(settings, [[`training.optimizerSharding ${enough}`]]);
    const workload = { ...problem.workload, optimizerSharding: enough };
    assert.ok(isFound({ ...problem, workload }));
  }
});

test("each fixed size is named whose freeing alone is enough, and no other", () => {
  const fixed = { ...WHOLE, contextParallel: 1 };
  const problem = problemOf(8, 1, {}, { fixed });
  const freed = only(askedOf(problem).changes, "freed").map(({ setting }) => setting);
  assert.ok(freed.length > 0 && freed.length < Object.keys(fixed).length);
  for (const name of Object.keys(fixed)) {
    const free = { ...fixed, [name]: undefined };
    const found = isFound({ ...problem, constraints: { ...problem.constraints, fixed: free } });
    assert.equal(freed.includes(`layout.${name}`), found, name);
  }
});

test("a plan that the GPUs' number fixes away is not answered with more GPUs", () => {
  const fixed = { tensorParallel: 1, contextParallel: 1, pipelineParallel: 1, dataParallel: 8 };
  const { changes } = askedOf(problemOf(32, 1, {}, { fixed }));
  assert.deepEqual(only(changes, "nodes"), []);
});

test("nothing is said where nothing is found, and the line says so", () => {
  const cluster = clusterPreset("h100", 1, 1);
  const accelerator = { ...cluster.accelerator, memoryBytes: 2 * GB };
  // One sequence on one GPU: there is nothing to split, and no GPU is large enough.
  const fixed = { tensorParallel: 1, contextParallel: 1, pipelineParallel: 1 };
  const problem = problemOf(
    32,
    1,
    { cluster: { ...cluster, accelerator }, globalBatchSize: 1, optimizerSharding: "fsdp" },
    { fixed: { ...fixed, dataParallel: 1 } },
  );
  const { changes, closest } = askedOf(problem);
  assert.deepEqual(changes, []);
  const error = noPlanError(problem, { ...closest, sizes: "tp 1" }, "job.yaml: cluster");
  assert.equal(error.exitCode, 3);
  assert.match(error.message, /^job\.yaml: cluster: nothing fits 1 x .*neither recompute, /);
  assert.equal(error.lines.length, 1);
});

test("questions are counted and bounded, whatever is fixed", () => {
  const fixed = { ...WHOLE, contextParallel: 1, pipelineParallel: 2 };
  const problem = problemOf(
    32,
    1,
    { optimizerSharding: "none" },
    { fixed, microBatchSize: 1, virtualPipeline: 1, recompute: ["none"] },
  );
  const { numTried } = askedOf(problem);
  assert.ok(numTried > 5 && numTried <= 32, String(numTried));
});
