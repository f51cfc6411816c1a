import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { makespan1F1B } from "../schedule/simulate-1f1b.ts";
import type { PartitionLayer, PartitionProblem } from "./problem.ts";
import { sampleProblems } from "./sample-problems.ts";
import { solvePartition } from "./solve-partition.ts";
import { compositions, problemArbitrary, tiedProblemArbitrary } from "./testing.ts";

/** Every split with every choice of options; infinite when none fits. */
function bruteForce({
  stages,
  microBatches,
  p2pMs,
  memoryBytes,
  layers,
}: PartitionProblem): number {
  let best = Number.POSITIVE_INFINITY;
  for (const counts of compositions(layers.length, stages)) {
    let from = 0;
    const forwardMs: number[] = [];
    const backwardMs: number[] = [];
    for (const [stage, count] of counts.entries()) {
      const own = layers.slice(from, from + count);
      from += count;
      const memory = typeof memoryBytes === "number" ? memoryBytes : (memoryBytes[stage] as number);
      forwardMs.push(own.reduce((sum, each) => sum + each.forwardMs, 0));
      const backward = own.reduce((sum, each) => sum + each.backwardMs, 0);
      backwardMs.push(backward + leastExtra(own, memory, Math.min(microBatches, stages - stage)));
    }
    if (backwardMs.every(Number.isFinite)) {
      best = Math.min(best, makespan1F1B(forwardMs, backwardMs, microBatches, p2pMs));
    }
  }
  return best;
}

function leastExtra(layers: readonly PartitionLayer[], memory: number, inFlight: number): number {
  const fixed = layers.reduce((sum, { staticBytes }) => sum + staticBytes, 0);
  const visit = (index: number, extra: number, kept: number, workspace: number): number => {
    const next = layers[index];
    if (next === undefined) {
      return fixed + inFlight * kept + workspace <= memory ? extra : Number.POSITIVE_INFINITY;
    }
    return Math.min(
      ...next.options.map(({ extraBackwardMs, activationBytes, workspaceBytes = 0 }) =>
        visit(
          index + 1,
          extra + extraBackwardMs,
          kept + activationBytes,
          Math.max(workspace, workspaceBytes),
        ),
      ),
    );
  };
  return visit(0, 0, 0, 0);
}

test("2,000 random problems: as fast as brute force within the gap, never bounded above it", () => {
  let numFit = 0;
  let numExact = 0;
  fc.assert(
    fc.property(problemArbitrary(), (each) => {
      const optimum = bruteForce(each);
      const solution = solvePartition(each);
      if ("missingBytes" in solution) {
        assert.equal(optimum, Number.POSITIVE_INFINITY, "a split fits, but none was found");
        assert.ok(solution.missingBytes > 0);
        return;
      }
      numFit++;
      if (solution.gap === 0) numExact++;
      const { simulatedMs, boundMs, gap } = solution;
      assert.ok(simulatedMs >= optimum * (1 - 1e-9), "faster than brute force");
      assert.ok(boundMs <= optimum * (1 + 1e-9), `bound ${boundMs} above the optimum ${optimum}`);
      assert.ok(simulatedMs * (1 - gap) <= optimum * (1 + 1e-9), "slower than the gap allows");
    }),
    { numRuns: 2000, seed: 3 },
  );
  assert.ok(numFit > 500, `only ${numFit} of 2000 problems fit`);
  assert.ok(numExact > 0.95 * numFit, `${numExact} of ${numFit} proven optimal`);
});

test("3,000 problems whose stages tie, with latency and few micro-batches: proven optimal", () => {
  let numFit = 0;
  let numExact = 0;
  fc.assert(
    fc.property(tiedProblemArbitrary, (each) => {
      const optimum = bruteForce(each);
      const solution = solvePartition(each);
      assert.equal("missingBytes" in solution, optimum === Number.POSITIVE_INFINITY);
      if ("missingBytes" in solution) return;
      numFit++;
      if (solution.gap === 0) numExact++;
      const { simulatedMs, boundMs, gap } = solution;
      assert.ok(simulatedMs >= optimum * (1 - 1e-9), "faster than brute force");
      assert.ok(boundMs <= optimum * (1 + 1e-9), `bound ${boundMs} above the optimum ${optimum}`);
      assert.ok(simulatedMs * (1 - gap) <= optimum * (1 + 1e-9), "slower than the gap allows");
      const hurried = solvePartition(each, { maxSimulations: 1, maxExpansions: 1 });
      assert.ok(!("missingBytes" in hurried));
      assert.ok(hurried.boundMs <= optimum * (1 + 1e-9), "a hurried bound above the optimum");
    }),
    { numRuns: 3000, seed: 5 },
  );
  assert.ok(numFit > 1500, `only ${numFit} of 3000 problems fit`);
  assert.equal(numExact, numFit);
});

test("the options named for the layers of a stage fit it and take the time that is told", () => {
  fc.assert(
    fc.property(problemArbitrary(), (each) => {
      const solution = solvePartition(each);
      if ("missingBytes" in solution) return;
      for (const [stage, own] of solution.stages.entries()) {
        const [first, last] = own.layers;
        const chosen = each.layers.slice(first, last + 1).map((layer, index) => {
          const option = layer.options.find(({ name }) => name === own.recompute[index]);
          assert.ok(option !== undefined);
          return option;
        });
        const extra = chosen.reduce((sum, { extraBackwardMs }) => sum + extraBackwardMs, 0);
        assert.ok(Math.abs(extra - own.recomputeMs) <= 1e-9);
        const { memoryBytes } = each;
        const memory = typeof memoryBytes === "number" ? memoryBytes : (memoryBytes[stage] ?? 0);
        assert.ok(own.memoryBytes <= memory * (1 + 1e-9));
      }
    }),
    { numRuns: 1000, seed: 4 },
  );
});

test("instances of real size are solved to a gap of half a percent at most", () => {
  for (const { name, problem } of sampleProblems()) {
    const solution = solvePartition(problem);
    assert.ok(!("missingBytes" in solution), name);
    assert.ok(solution.gap <= 0.005, `${name}: gap ${solution.gap}`);
  }
});

test("layers that take no time but for their recompute are solved too", () => {
  const options = [
    { name: "none", extraBackwardMs: 0, activationBytes: 4 },
    { name: "full", extraBackwardMs: 3, activationBytes: 1 },
  ];
  const layer = { name: "layer", forwardMs: 0, backwardMs: 0, staticBytes: 0, options };
  const problem = { stages: 1, microBatches: 2, p2pMs: 0, memoryBytes: 5, layers: [layer, layer] };
  const solution = solvePartition(problem);
  assert.ok(!("missingBytes" in solution));
  assert.equal(solution.simulatedMs, 6);
  assert.deepEqual(solution.stages[0]?.recompute, ["none", "full"]);
});

test("where layers take no time, latency alone is what is bounded and simulated", () => {
  const options = [{ name: "none", extraBackwardMs: 0, activationBytes: 0 }];
  const layer = { name: "layer", forwardMs: 0, backwardMs: 0, staticBytes: 0, options };
  const layers = [layer, layer, layer];
  const solution = solvePartition({
    stages: 3,
    microBatches: 61,
    p2pMs: 2,
    memoryBytes: 1,
    layers,
  });
  assert.ok(!("missingBytes" in solution));
  assert.equal(solution.gap, 0);
  assert.ok(solution.simulatedMs > 100);
});
