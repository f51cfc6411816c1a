import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import highs from "highs";
import { partitionMilp } from "./milp.ts";
import { solvePartition } from "./solve-partition.ts";
import { problemArbitrary } from "./testing.ts";

test("an independent mixed integer solver finds the same step time", async () => {
  // The package's types are those of its CommonJS build, where the loader is `default`.
  const solver = await (highs as unknown as typeof highs.default)();
  const small = problemArbitrary({ maxLayers: 5, maxStages: 3, maxMicroBatches: 4 });
  let numFit = 0;
  for (const problem of fc.sample(small, { numRuns: 40, seed: 7 })) {
    const solution = solvePartition(problem);
    const result = solver.solve(partitionMilp(problem));
    if ("missingBytes" in solution) {
      assert.equal(result.Status, "Infeasible");
      continue;
    }
    numFit++;
    assert.equal(result.Status, "Optimal");
    const least = result.ObjectiveValue;
    assert.ok(Math.abs(solution.simulatedMs - least) <= 1e-4 * least + solution.gap * least);
  }
  assert.ok(numFit >= 15, `only ${numFit} problems fit`);
});
