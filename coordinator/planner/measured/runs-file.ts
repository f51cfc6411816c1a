import { join } from "node:path";
import type { CsvTable } from "./csv.ts";
import { readCsvText } from "./csv-file.ts";
import type { MeasuredRun, ReadRow } from "./measured-run.ts";
import { readRuns } from "./read-runs.ts";

export async function readRunsFile(path: string): Promise<{ table: CsvTable; rows: ReadRow[] }> {
  return readRuns(await readCsvText(path), path);
}

/** The files that constants are fitted on. */
const CALIBRATION_FILES = ["calibration.csv", "nanotron-h100.csv", "vtrain-a100.csv"];

/** All runs of the calibration files in a folder. */
export async function readCalibrationRuns(folder: string): Promise<MeasuredRun[]> {
  const files = await Promise.all(
    CALIBRATION_FILES.map((name) => readRunsFile(join(folder, name))),
  );
  return files.flatMap(({ rows }) => rows.flatMap(({ run }) => (run === null ? [] : [run])));
}
