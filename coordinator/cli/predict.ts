import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { Command } from "commander";
import { MoestroError } from "../errors.ts";
import type { CsvTable } from "../planner/measured/csv.ts";
import { type PredictedRow, predictRow } from "../planner/measured/predict-runs.ts";
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
      if (rows.length === 0) {
        throw new MoestroError("invalid_input", `${path}: has no rows; give a line for each run`);
      }
      const predictions = rows.map((row, index) => named(predictRow(row), table.rows[index]));
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

/** A row without a prediction by its own words: the name or model that it gives. */
function named(row: PredictedRow, fields: CsvTable["rows"][number] | undefined): PredictedRow {
  if (row.name !== null) return row;
  const own = [fields?.name, fields?.model].find((text) => text !== undefined && text !== "");
  return { ...row, name: own ?? null };
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
