import { readFile } from "node:fs/promises";
import { Command } from "commander";
import { MoestroError } from "../errors.ts";
import { describeSolution } from "../planner/partition/describe-solution.ts";
import { readProblem } from "../planner/partition/read-problem.ts";
import { solvePartition } from "../planner/partition/solve-partition.ts";

export function partitionCommand(): Command {
  return new Command("partition")
    .description("cut layers of given costs into pipeline stages, with the recompute that fits")
    .argument("<problem>", "JSON with stages, microBatches, p2pMs, memoryBytes and layers")
    .option("--json", "the stages and their certificate as JSON", false)
    .action(async (path: string, { json }: { json: boolean }) => {
      const problem = readProblem(await readText(path), path);
      const solution = solvePartition(problem);
      if ("missingBytes" in solution) {
        throw new MoestroError("no_plan", `${path}: nothing fits: ${solution.reason}`);
      }
      console.log(json ? JSON.stringify(solution, null, 2) : describeSolution(problem, solution));
    });
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new MoestroError("invalid_input", `${path}: cannot be read (${code}); give a JSON file`);
  }
}
