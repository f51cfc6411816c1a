import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { clusterPreset } from "../../hardware/presets.ts";
import { MODEL_SHAPES } from "../../model/shapes.ts";
import type { Placement, Workload } from "../workload.ts";
import { hopMs, partTime } from "./part-time.ts";
import { stepOverhead } from "./step-overhead.ts";

const workload: Workload = {
  model: MODEL_SHAPES["skywork-moe-146b"],
  cluster: clusterPreset("a800", 192, 8),
  sequenceLength: 8192,
  globalBatchSize: 2048,
  precision: "bf16",
  capacityFactor: "dropless",
  imbalance: 1,
  optimizerSharding: "zero1",
  stack: "megatron",
};

const placement: Placement = {
  tensorParallel: 4,
  contextParallel: 1,
  pipelineParallel: 12,
  dataParallel: 32,
  expertParallel: 4,
  expertTensorParallel: 1,
  expertDataParallel: 32,
  virtualPipeline: 1,
  microBatchSize: 1,
};

const layerMs = (w: Workload, p: Placement) => {
  const { forwardMs, backwardMs } = partTime(w, p, "moe");
  return forwardMs + backwardMs;
};

const size = fc.constantFrom(1, 2, 4, 8, 16);

test("faster memory, arithmetic or links never make a part, hop or step end slower", () => {
  fc.assert(
    fc.property(
      size,
      size,
      size,
      fc.double({ min: 1, max: 4, noNaN: true }),
      (tp, ep, etp, gain) => {
        const p = {
          ...placement,
          tensorParallel: tp,
          expertParallel: ep,
          expertTensorParallel: etp,
        };
        const { cluster } = workload;
        const { accelerator, intra, inter } = cluster;
        const faster = (link: typeof intra) => ({
          ...link,
          curve: link.curve.map(([bytes, rate]) => [bytes, rate * gain] as const),
        });
        const changes = [
          { ...cluster, intra: faster(intra) },
          { ...cluster, inter: faster(inter) },
          {
            ...cluster,
            accelerator: { ...accelerator, memoryBandwidth: accelerator.memoryBandwidth * gain },
          },
          {
            ...cluster,
            accelerator: {
              ...accelerator,
              peakFlops: { bf16: (accelerator.peakFlops.bf16 ?? 0) * gain },
            },
          },
        ];
        const total = (w: Workload) => {
          const end = stepOverhead(w, p, { dense: 1e9, expert: 1e9 });
          return (
            layerMs(w, p) +
            hopMs(w, p) +
            end.gradientReduceMs +
            end.parameterGatherMs +
            end.optimizerMs
          );
        };
        const before = total(workload);
        for (const changed of changes) {
          assert.ok(total({ ...workload, cluster: changed }) <= before * (1 + 1e-9));
        }
      },
    ),
    { numRuns: 100 },
  );
});

test("longer sequences, more slots and busier experts take longer", () => {
  const before = layerMs(workload, placement);
  assert.ok(layerMs({ ...workload, sequenceLength: 16_384 }, placement) > before);
  assert.ok(layerMs({ ...workload, capacityFactor: 1.5 }, placement) > before);
  assert.ok(layerMs({ ...workload, imbalance: 1.5 }, placement) > before);
});

test("splitting experts over tensor-parallel ranks costs more than whole experts over the same ranks", () => {
  const split = { ...placement, expertParallel: 1, expertTensorParallel: 4 };
  assert.ok(layerMs(workload, split) > layerMs(workload, placement));
});

test("full recompute repeats the forward, all-to-all included; selective less", () => {
  const { forwardMs, recomputeMs } = partTime(workload, placement, "moe");
  assert.equal(recomputeMs.full, forwardMs);
  assert.ok(recomputeMs.selective > 0 && recomputeMs.selective < recomputeMs.full);
  assert.equal(recomputeMs.none, 0);
});

test("fp8 speeds up wide experts, and by less than two", () => {
  const h100: Workload = { ...workload, cluster: clusterPreset("h100", 192, 8) };
  const gain = layerMs(h100, placement) / layerMs({ ...h100, precision: "fp8" }, placement);
  assert.ok(gain > 1.05 && gain < 2, `gain ${gain}`);
});

test("every part of every preset has a finite positive time", () => {
  for (const model of Object.values(MODEL_SHAPES)) {
    const kinds = [...new Set(model.layers.map(({ kind }) => kind)), "embedding", "head"] as const;
    for (const kind of kinds) {
      const time = partTime({ ...workload, model }, { ...placement, expertParallel: 2 }, kind);
      assert.ok(Number.isFinite(time.forwardMs) && time.forwardMs > 0);
      assert.ok(Number.isFinite(time.backwardMs) && time.backwardMs >= time.forwardMs);
      assert.ok(time.weightGradMs <= time.backwardMs);
    }
  }
});

test("a host that is slow at collectives sets a floor that grows with the group, not with the work", () => {
  const slow: Workload = { ...workload, cluster: { ...workload.cluster, collectiveRankMs: 10 } };
  const whole = { ...placement, expertParallel: 1 };
  const floor = layerMs(slow, whole);
  // Gather and scatter forward, and once more a gather backward, around one block.
  const calls = 2 + 3;
  assert.ok(floor > 0.95 * calls * 4 * 10 && floor < 1.2 * calls * 4 * 10, `${floor} ms`);
  const longer = layerMs({ ...slow, sequenceLength: 2 * workload.sequenceLength }, whole);
  assert.ok(longer < 1.1 * floor);
  assert.ok(layerMs(slow, { ...whole, tensorParallel: 8 }) > 1.8 * floor);
  assert.ok(stepOverhead(slow, placement, { dense: 1e9, expert: 0 }).gradientReduceMs > 32 * 10);
});

test("an exchange between nodes hides where experts are whole, and not where they are split", () => {
  const apart = { ...placement, expertParallel: 16 };
  const hidden = partTime(workload, apart, "moe").forwardCommunicationMs;
  const ours = partTime({ ...workload, stack: "moestro" }, apart, "moe").forwardCommunicationMs;
  assert.ok(hidden < ours);
  const split = { ...placement, expertParallel: 4, expertTensorParallel: 4 };
  const shown = partTime(workload, split, "moe").forwardCommunicationMs;
  const same = partTime({ ...workload, stack: "moestro" }, split, "moe").forwardCommunicationMs;
  assert.equal(shown, same);
});
