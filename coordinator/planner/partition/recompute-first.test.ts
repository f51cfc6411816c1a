import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { makespan1F1B } from "../schedule/simulate-1f1b.ts";
import type { PartitionProblem } from "./problem.ts";
import { optionsOfFirst } from "./recompute-first.ts";
import { solvePartition } from "./solve-partition.ts";
import { problemArbitrary } from "./testing.ts";

const small = problemArbitrary({ maxLayers: 7, maxStages: 3, maxMicroBatches: 6 });

/** Every way to cut so many layers into so many stages, as the layers of each. */
function* cuts(layers: number, stages: number): Generator<number[]> {
  if (stages === 1) yield [layers];
  for (let first = 1; stages > 1 && first <= layers - stages + 1; first++) {
    for (const rest of cuts(layers - first, stages - 1)) yield [first, ...rest];
  }
}

/** Makespan of a split whose stages recompute their first layers; undefined when it does not fit. */
function makespan(problem: PartitionProblem, counts: readonly number[], first: number) {
  const { stages, microBatches, memoryBytes, p2pMs } = problem;
  const forward: number[] = [];
  const backward: number[] = [];
  let from = 0;
  for (const [stage, count] of counts.entries()) {
    const layers = problem.layers.slice(from, from + count);
    from += count;
    const chosen = optionsOfFirst(layers, first).map((option, index) => {
      const found = layers[index]?.options[option];
      assert.ok(found !== undefined);
      return found;
    });
    const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
    const inFlight = Math.min(microBatches, stages - stage);
    const bytes =
      sum(layers.map(({ staticBytes }) => staticBytes)) +
      inFlight * sum(chosen.map(({ activationBytes }) => activationBytes)) +
      Math.max(...chosen.map(({ workspaceBytes }) => workspaceBytes ?? 0));
    const limit = typeof memoryBytes === "number" ? memoryBytes : (memoryBytes[stage] ?? 0);
    if (bytes > limit) return undefined;
    forward.push(sum(layers.map(({ forwardMs }) => forwardMs)));
    backward.push(
      sum(layers.map(({ backwardMs }) => backwardMs)) +
        sum(chosen.map(({ extraBackwardMs }) => extraBackwardMs)),
    );
  }
  return makespan1F1B(forward, backward, microBatches, p2pMs);
}

test("with block recompute the split is the best of all, or nothing fits", () => {
  let numFit = 0;
  let numUnfit = 0;
  fc.assert(
    fc.property(small, fc.integer({ min: 0, max: 3 }), (free, recomputeFirst) => {
      const problem = { ...free, recomputeFirst };
      const all = [...cuts(problem.layers.length, problem.stages)].map((counts) =>
        makespan(problem, counts, recomputeFirst),
      );
      const best = Math.min(...all.map((ms) => ms ?? Number.POSITIVE_INFINITY));
      const found = solvePartition(problem);
      if ("missingBytes" in found) {
        assert.equal(best, Number.POSITIVE_INFINITY);
        assert.ok(found.missingBytes > 0);
        numUnfit++;
        return;
      }
      assert.ok(found.boundMs <= best * (1 + 1e-9));
      assert.ok(Math.abs(found.simulatedMs - best) <= (found.gap + 1e-9) * found.simulatedMs);
      numFit++;
    }),
    { numRuns: 500, seed: 3 },
  );
  assert.ok(numFit > 100 && numUnfit > 20, `${numFit} fit, ${numUnfit} do not`);
});
