import { table } from "../text-table.ts";
import type { PartitionProblem, PartitionSolution } from "./problem.ts";

/** A solution as a table for people, a line a stage. */
export function describeSolution(problem: PartitionProblem, solution: PartitionSolution): string {
  const { stages, simulatedMs, boundMs, gap } = solution;
  const { memoryBytes } = problem;
  const head = ["stage", "layers", "forward", "backward", "recompute", "memory", "of", "options"];
  const rows = stages.map((stage, index) => {
    const memory = typeof memoryBytes === "number" ? memoryBytes : (memoryBytes[index] ?? 0);
    const [first, last] = stage.layers;
    return [
      `${index}`,
      `${first}-${last}`,
      milliseconds(stage.forwardMs),
      milliseconds(stage.backwardMs),
      milliseconds(stage.recomputeMs),
      bytes(stage.memoryBytes),
      bytes(memory),
      runs(stage.recompute),
    ];
  });
  const certificate =
    gap < 1e-9
      ? "no split and choice of options is faster: it equals the lower bound"
      : `lower bound ${milliseconds(boundMs)}, gap ${(100 * gap).toFixed(3)} %`;
  return [
    ...table([head, ...rows]),
    "",
    `${problem.microBatches} micro-batches under 1F1B take ${milliseconds(simulatedMs)}; ${certificate}`,
  ].join("\n");
}

/** `full x2, none x3`: options of a stage's layers, in order. */
function runs(names: readonly string[]): string {
  const parts: { name: string; count: number }[] = [];
  for (const name of names) {
    const last = parts.at(-1);
    if (last?.name === name) last.count++;
    else parts.push({ name, count: 1 });
  }
  return parts.map(({ name, count }) => (count === 1 ? name : `${name} x${count}`)).join(", ");
}

function milliseconds(value: number): string {
  return `${value >= 1000 ? value.toFixed(0) : value.toPrecision(4)} ms`;
}

function bytes(value: number): string {
  return value >= 1e8 ? `${(value / 1e9).toFixed(2)} GB` : `${value.toFixed(0)} B`;
}
