import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, Option } from "commander";
import { MoestroError } from "../errors.ts";
import { STARTING_FACTORS } from "../planner/cost/time/factors.ts";
import { calibrate } from "../planner/measured/calibrate-factors.ts";
import {
  describeCalibration,
  factorsFile,
  groupErrors,
} from "../planner/measured/calibration-report.ts";
import { memoryReport } from "../planner/measured/memory-report.ts";
import { formatMemoryReport } from "../planner/measured/memory-report-text.ts";
import { readCalibrationRuns } from "../planner/measured/runs-file.ts";

/** What the memory model is judged by; a folder of one's own may have none of it. */
const MEMORY_FILES = ["simumax-b200.csv", "memory-cases.csv", "nanotron-h100.csv"];

/** The published runs that come with moestro. */
const OWN_DATA = fileURLToPath(new URL("../../data/validation", import.meta.url));

export function calibrateCommand(): Command {
  return new Command("calibrate")
    .description("fit the cost model's constants on measured runs, and say how well they predict")
    .addOption(
      new Option(
        "--data <folder>",
        "folder with calibration.csv, nanotron-h100.csv, vtrain-a100.csv",
      ).default(OWN_DATA, "the published runs that come with moestro"),
    )
    .option("--out <file>", "where the constants go: JSON, or a module if it ends in .ts")
    .option("--json", "errors and constants as JSON", false)
    .action(async (options: { data: string; out?: string; json: boolean }) => {
      const runs = await readCalibrationRuns(options.data);
      const result = calibrate(runs, STARTING_FACTORS);
      if (options.out !== undefined) {
        try {
          await writeFile(options.out, factorsFile(options.out, result.factors));
        } catch (error) {
          const { code } = error as NodeJS.ErrnoException;
          throw new MoestroError(
            "invalid_input",
            `${options.out}: cannot be written (${code}); give --out a file in a folder that can be written`,
          );
        }
      }
      const hasMemory = MEMORY_FILES.every((name) => existsSync(join(options.data, name)));
      const memory = hasMemory ? await memoryReport(options.data) : undefined;
      if (!options.json) {
        console.log(describeCalibration(result));
        if (memory !== undefined) console.log(`\n${formatMemoryReport(memory)}`);
        return;
      }
      const rows = result.errors.map(({ run, fitted, leftOut }) => ({
        name: run.name,
        kind: run.kind,
        source: run.source,
        fitted,
        leftOut,
      }));
      console.log(
        JSON.stringify(
          { groups: groupErrors(result.errors), factors: result.factors, rows, memory },
          null,
          2,
        ),
      );
    });
}
