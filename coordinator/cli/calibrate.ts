import { writeFile } from "node:fs/promises";
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
import { readCalibrationRuns } from "../planner/measured/runs-file.ts";

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
      if (!options.json) {
        console.log(describeCalibration(result));
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
          { groups: groupErrors(result.errors), factors: result.factors, rows },
          null,
          2,
        ),
      );
    });
}
