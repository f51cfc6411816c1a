import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { MoestroError } from "../../errors.ts";
import type { CsvTable } from "./csv.ts";
import type { MeasuredRun, ReadRow } from "./measured-run.ts";
import { readRuns } from "./read-runs.ts";

export async function readRunsFile(path: string): Promise<{ table: CsvTable; rows: ReadRow[] }> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "no such file" : `cannot be read (${code})`;
    throw new MoestroError("invalid_input", `${path}: ${why}; give a CSV of measured runs`);
  }
  return readRuns(text, path);
}

/** The files that constants are fitted on. */
export const CALIBRATION_FILES = ["calibration.csv", "nanotron-h100.csv", "vtrain-a100.csv"];

/** All runs of the calibration files in a folder. */
export async function readCalibrationRuns(folder: string): Promise<MeasuredRun[]> {
  const files = await Promise.all(
    CALIBRATION_FILES.map((name) => readRunsFile(join(folder, name))),
  );
  return files.flatMap(({ rows }) => rows.flatMap(({ run }) => (run === null ? [] : [run])));
}
