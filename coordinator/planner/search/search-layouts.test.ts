import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RECOMPUTE_KINDS, type Workload } from "../cost/workload.ts";
import { clusterPreset } from "../hardware/presets.ts";
import type { ModelShape } from "../model/model-shape.ts";
import { MODEL_SHAPES } from "../model/shapes.ts";
import { certifySolved } from "./certify-solved.ts";
import type { Constraints } from "./constraints.ts";
import { planChoice } from "./plan-choice.ts";
import { searchLayouts } from "./search-layouts.ts";

const MIXTRAL = MODEL_SHAPES["mixtral-8x7b"] as ModelShape;
const LLAMA = MODEL_SHAPES["llama3-8b"] as ModelShape;

function workloadOf(model: ModelShape, nodes: number, gpusPerNode: number): Workload {
  return {
    model,
    cluster: clusterPreset("a800", nodes, gpusPerNode),
    sequenceLength: 4096,
    globalBatchSize: 32,
    precision: "bf16",
    capacityFactor: 1.25,
    imbalance: 1,
    optimizerSharding: "zero1",
    stack: "megatron",
  };
}

function constraintsOf(ranks: number, rest: Partial<Constraints> = {}): Constraints {
  return {
    ranks,
    fixed: {},
    schedules: ["1f1b"],
    recompute: RECOMPUTE_KINDS,
    target: "any",
    ...rest,
  };
}

const small = fc.record({
  base: fc.constantFrom(MIXTRAL, LLAMA),
  layers: fc.integer({ min: 3, max: 9 }),
  gpus: fc.constantFrom(4, 8, 12, 16),
  globalBatchSize: fc.constantFrom(8, 16, 24),
  /** Of the memory of a GPU. */
  reserved: fc.constantFrom(0, 0.5, 0.7, 0.8),
  schedules: fc.constantFrom<Constraints["schedules"]>(
    ["1f1b"],
    ["1f1b", "interleaved"],
    ["zero-bubble", "gpipe"],
    ["gpipe", "1f1b", "interleaved", "zero-bubble", "dualpipev"],
  ),
  recompute: fc.constantFrom<Constraints["recompute"]>(
    RECOMPUTE_KINDS,
    RECOMPUTE_KINDS,
    ["full"],
    ["selective"],
    ["selective", "full"],
  ),
  optimizerSharding: fc.constantFrom("zero1", "none"),
});

test("the pruned search finds what looking at every candidate finds", () => {
  let numFound = 0;
  let numSkipped = 0;
  fc.assert(
    fc.property(small, ({ base, layers, gpus, reserved, schedules, recompute, ...rest }) => {
      const model = { ...base, layers: base.layers.slice(0, layers) };
      const workload = { ...workloadOf(model, 1, gpus), ...rest };
      const reserveBytes = reserved * workload.cluster.accelerator.memoryBytes;
      const constraints = constraintsOf(gpus, { reserveBytes, schedules, recompute });
      const pruned = searchLayouts(workload, constraints);
      const all = searchLayouts(workload, constraints, { exhaustive: true });
      assert.equal(pruned.numCandidates, all.numCandidates);
      assert.equal(pruned.best === undefined, all.best === undefined);
      if (pruned.best === undefined || all.best === undefined) return;
      numFound++;
      numSkipped += all.numSolved - pruned.numSolved;
      const ratio = pruned.best.stepTimeMs / all.best.stepTimeMs;
      assert.ok(Math.abs(ratio - 1) < 1e-9, `${ratio} of the exhaustive best`);
    }),
    { numRuns: 60, seed: 7 },
  );
  assert.ok(numFound > 10, `only ${numFound} problems had a plan`);
  assert.ok(numSkipped > 100, `only ${numSkipped} candidates were ruled out`);
});

test("nothing that is proposed exceeds the memory", () => {
  const workload = workloadOf(MIXTRAL, 2, 8);
  const { best, others } = searchLayouts(workload, constraintsOf(16));
  assert.ok(best !== undefined);
  for (const solved of [best, ...others]) {
    const { candidate, parts, limitBytes } = solved;
    for (const stage of solved.stages) {
      let bytes = 0;
      let workspace = 0;
      for (let index = stage.from; index < stage.to; index++) {
        const cost = candidate.classCosts[parts.parts[index]?.class ?? 0];
        const kind = stage.recompute[index - stage.from] ?? "none";
        assert.ok(cost !== undefined);
        bytes += cost.staticBytes + stage.inFlightMicroBatches * cost.activationBytes[kind];
        workspace = Math.max(workspace, cost.workspaceBytes[kind]);
      }
      assert.ok(bytes + workspace <= limitBytes * (1 + 1e-9));
    }
  }
});

test("when nothing fits, the layout that misses least is told", () => {
  const workload = workloadOf(MODEL_SHAPES["skywork-moe-146b"] as ModelShape, 1, 8);
  const { best, closest } = searchLayouts(workload, constraintsOf(8));
  assert.equal(best, undefined);
  assert.ok(closest !== undefined && closest.missingBytes > 0);
});

test("what Megatron-Core is to be told recomputes the first layers of every chunk, or all alike", () => {
  const model = { ...MIXTRAL, layers: MIXTRAL.layers.slice(0, 10) };
  const workload = workloadOf(model, 1, 8);
  const { memoryBytes } = workload.cluster.accelerator;
  const kinds = new Set<string>();
  for (const reserved of [0, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65]) {
    const constraints = constraintsOf(8, {
      target: "megatron",
      fixed: { tensorParallel: 1 },
      schedules: ["1f1b", "interleaved"],
      reserveBytes: reserved * memoryBytes,
    });
    const { best } = searchLayouts(workload, constraints);
    const free = searchLayouts(workload, { ...constraints, target: "any" }).best;
    if (best === undefined || free === undefined) continue;
    assert.ok(free.stepTimeMs <= best.stepTimeMs * (1 + 1e-9));
    const layers = best.stages.map(({ from, recompute }) =>
      recompute.filter((_, index) => best.parts.parts[from + index]?.layer !== undefined),
    );
    const first = Math.max(...layers.map((own) => own.lastIndexOf("full") + 1));
    const isBlock = layers.every((own) =>
      own.every((kind, index) => kind === (index < first ? "full" : "none")),
    );
    const isAlike = new Set(layers.flat()).size === 1;
    assert.ok(isBlock || isAlike, JSON.stringify(layers));
    kinds.add(isAlike ? `all ${layers.flat()[0]}` : "block");
  }
  assert.ok(kinds.has("block") && kinds.size > 1, [...kinds].join());
});

test("no plan for PyTorch's zero-bubble schedule recomputes selectively", () => {
  const model = { ...MIXTRAL, layers: MIXTRAL.layers.slice(0, 7) };
  const workload = workloadOf(model, 1, 8);
  const { memoryBytes } = workload.cluster.accelerator;
  for (const reserved of [0, 0.3]) {
    const { best, others } = searchLayouts(
      workload,
      constraintsOf(8, {
        target: "torchtitan",
        schedules: ["zero-bubble"],
        fixed: { pipelineParallel: 4 },
        reserveBytes: reserved * memoryBytes,
      }),
    );
    assert.ok(best !== undefined);
    for (const { schedule, stages } of [best, ...others]) {
      assert.equal(schedule, "zero-bubble");
      assert.ok(!stages.some(({ recompute }) => recompute.includes("selective")));
    }
  }
});

test("a plan whose stages are fixed keeps them, certified or not, and claims no more", async () => {
  const model = { ...MIXTRAL, layers: MIXTRAL.layers.slice(0, 8) };
  const workload = workloadOf(model, 1, 8);
  for (const schedule of ["1f1b", "interleaved"] as const) {
    const layersPerStage = schedule === "1f1b" ? [5, 3] : [3, 2, 2, 1];
    const { best } = searchLayouts(
      workload,
      constraintsOf(8, {
        fixed: { pipelineParallel: 2 },
        schedules: [schedule],
        layersPerStage,
      }),
    );
    assert.ok(best !== undefined);
    const { solved } = await certifySolved(best, { timeLimitSeconds: 10 });
    for (const each of [best, solved]) {
      const counts = each.stages.map(({ from, to }) => to - from);
      assert.deepEqual(counts.with(-1, (counts.at(-1) ?? 0) - 1), layersPerStage);
    }
    const { covers } = planChoice(solved).certificate;
    assert.match(covers, schedule === "1f1b" ? /these stages/ : /lower bound/);
  }
});

test("stages are cut for the whole step: not all weights on one rank", () => {
  // Few micro-batches: what follows the pipeline weighs as much as the pipeline.
  const model = {
    ...(MODEL_SHAPES["qwen3-30b-a3b"] as ModelShape),
    layers: MIXTRAL.layers.slice(0, 5),
  };
  const workload: Workload = {
    ...workloadOf(model, 1, 2),
    globalBatchSize: 8,
    sequenceLength: 1024,
    optimizerSharding: "none",
  };
  const fixed = { pipelineParallel: 2 };
  const free = searchLayouts(workload, constraintsOf(2, { fixed, microBatchSize: 8 })).best;
  assert.ok(free !== undefined);
  for (const layersPerStage of [
    [4, 1],
    [3, 2],
    [2, 3],
  ]) {
    const constraints = constraintsOf(2, { fixed, microBatchSize: 8, layersPerStage });
    const { best } = searchLayouts(workload, constraints);
    if (best !== undefined) assert.ok(free.stepTimeMs <= best.stepTimeMs * (1 + 2e-3));
  }
});

test("fixing a size restricts the search to it", () => {
  const fixed = { tensorParallel: 2, pipelineParallel: 4 };
  const { best } = searchLayouts(workloadOf(MIXTRAL, 2, 8), constraintsOf(16, { fixed }));
  assert.equal(best?.candidate.placement.tensorParallel, 2);
  assert.equal(best?.candidate.placement.pipelineParallel, 4);
});

test("with PP 12, TP 4 and 16 experts, EP ends at 192 GPUs, ETP at 768, and EDP nowhere", () => {
  // REFERENCE of the schemes: Skywork-MoE report, arXiv 2406.06563, section 4.1.
  const model = MODEL_SHAPES["skywork-moe-146b"] as ModelShape;
  const pipeline = { tensorParallel: 4, pipelineParallel: 12, contextParallel: 1 };
  const isLegal = (ranks: number, experts: Record<string, number>) => {
    const workload = { ...workloadOf(model, ranks / 8, 8), globalBatchSize: 4096 };
    const fixed = { ...pipeline, ...experts };
    const constraints = constraintsOf(ranks, { fixed, microBatchSize: 1 });
    return searchLayouts(workload, constraints).numCandidates > 0;
  };
  const dataParallel = (ranks: number) => ranks / 48;
  // Megatron's EP spreads one copy of the experts over TP·DP, ETP over DP.
  const ep = (ranks: number) => ({
    expertParallel: 4 * dataParallel(ranks),
    expertTensorParallel: 1,
  });
  const etp = (ranks: number) => ({ expertParallel: dataParallel(ranks), expertTensorParallel: 4 });
  const edp = { expertParallel: 4, expertTensorParallel: 1 };
  assert.deepEqual(
    [192, 384].map((ranks) => isLegal(ranks, ep(ranks))),
    [true, false],
  );
  assert.deepEqual(
    [768, 1536].map((ranks) => isLegal(ranks, etp(ranks))),
    [true, false],
  );
  assert.deepEqual(
    [192, 768, 1536, 12288].map((ranks) => isLegal(ranks, edp)),
    [true, true, true, true],
  );
});
