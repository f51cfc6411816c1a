// Time, certificate and gain of the stage-and-recompute solver on instances of
// real size, against the best uniform split with one option for all layers.
//
//   node test/bench/partition.ts
//   node test/bench/partition.ts --sweep   gaps for every model of the presets
import { evaluateSplit } from "../../coordinator/planner/partition/evaluate-split.ts";
import { evenSplit } from "../../coordinator/planner/partition/pipeline.ts";
import type { PartitionProblem } from "../../coordinator/planner/partition/problem.ts";
import { sampleProblems } from "../../coordinator/planner/partition/sample-problems.ts";
import { solvePartition } from "../../coordinator/planner/partition/solve-partition.ts";
import { table } from "../../coordinator/planner/text-table.ts";
import { sweep } from "./partition-sweep.ts";

if (process.argv.includes("--sweep")) sweep();
else instances();

function instances(): void {
  const rows = [["instance", "first", "again", "simulated", "gap", "uniform, one option"]];
  for (const { name, problem } of sampleProblems()) {
    const [first] = time(() => solvePartition(problem));
    const [again, solution] = time(() => solvePartition(problem));
    if ("missingBytes" in solution) throw new Error(`${name}: ${solution.reason}`);
    const { simulatedMs, gap } = solution;
    const uniform = bestUniformMs(problem);
    rows.push([
      name,
      `${first.toFixed(0)} ms`,
      `${again.toFixed(0)} ms`,
      `${simulatedMs.toFixed(1)} ms`,
      `${(100 * gap).toFixed(3)} %`,
      Number.isFinite(uniform)
        ? `+${(100 * (uniform / simulatedMs - 1)).toFixed(1)} %`
        : "does not fit",
    ]);
  }
  console.log(table(rows).join("\n"));
}

function time<T>(work: () => T): [ms: number, result: T] {
  const start = performance.now();
  const result = work();
  return [performance.now() - start, result];
}

/** The best of all even splits with the same option for every layer. */
function bestUniformMs(problem: PartitionProblem): number {
  const split = evenSplit(problem.layers.length, problem.stages);
  const names = problem.layers[0]?.options.map((option) => option.name) ?? [];
  const each = names.map((name) => {
    const layers = problem.layers.map((layer) => ({
      ...layer,
      options: layer.options.filter((option) => option.name === name),
    }));
    const solution = evaluateSplit({ ...problem, layers }, split);
    return "missingBytes" in solution ? Number.POSITIVE_INFINITY : solution.simulatedMs;
  });
  return Math.min(...each);
}
