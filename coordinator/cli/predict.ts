import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { Command } from "commander";
import { MoestroError } from "../errors.ts";
import { predictRow } from "../planner/measured/predict-runs.ts";
import {
  describePredictions,
  predictedCsv,
  summariseRows,
} from "../planner/measured/prediction-report.ts";
import { readRunsFile } from "../planner/measured/runs-file.ts";

export function predictCommand(): Command {
  return new Command("predict")
    .description("predict published or own runs, and compare with what was measured")
    .argument(
      "<runs>",
      "a CSV in the columns of calibration.csv, nanotron-h100.csv or vtrain-a100.csv",
    )
    .option("--out <file>", "where the CSV with predictions goes (default: <runs>.predicted.csv)")
    .option("--json", "rows and summary as JSON; writes no CSV unless --out is given", false)
    .action(async (path: string, options: { out?: string; json: boolean }) => {
      const out =
        options.out ?? (options.json ? undefined : `${path.replace(/\.csv$/i, "")}.predicted.csv`);
      if (out !== undefined && resolve(out) === resolve(path)) {
        throw new MoestroError("invalid_input", `${out}: --out is the input; give another file`);
      }
      const { table, rows } = await readRunsFile(path);
      const predictions = rows.map(predictRow);
      if (out !== undefined) await writeOutput(out, predictedCsv(table, predictions));
      if (options.json) {
        const summary = summariseRows(predictions);
        console.log(JSON.stringify({ rows: predictions, summary }, null, 2));
        return;
      }
      console.log(describePredictions(predictions));
      console.log(`\nwritten: ${out}`);
    });
}

async function writeOutput(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new MoestroError(
      "invalid_input",
      `${path}: cannot be written (${code}); give --out a file in a folder that can be written`,
    );
  }
}
