import { CALIBRATION_COLUMNS, readCalibrationRow } from "./calibration-rows.ts";
import { type CsvTable, parseCsv } from "./csv.ts";
import { requireColumns } from "./csv-file.ts";
import { type Fields, RowProblem } from "./fields.ts";
import type { MeasuredRun, ReadRow } from "./measured-run.ts";
import { NANOTRON_COLUMNS, readNanotronRow } from "./nanotron-rows.ts";
import { readVtrainRow, VTRAIN_COLUMNS } from "./vtrain-rows.ts";

type ReadRun = (fields: Fields) => MeasuredRun;

const FORMATS: { name: string; columns: readonly string[]; mark: string; read: ReadRun }[] = [
  {
    name: "nanotron-h100.csv",
    columns: NANOTRON_COLUMNS,
    mark: "grad_accum",
    read: readNanotronRow,
  },
  { name: "vtrain-a100.csv", columns: VTRAIN_COLUMNS, mark: "n_gpus", read: readVtrainRow },
  { name: "calibration.csv", columns: CALIBRATION_COLUMNS, mark: "", read: readCalibrationRow },
];

/** Reads runs in any of the three column sets, told apart by their header; rows count from 1 behind it. */
export function readRuns(text: string, path: string): { table: CsvTable; rows: ReadRow[] } {
  const table = parseCsv(text, path);
  const has = new Set(table.columns);
  const format = FORMATS.find(
    ({ mark }) => mark === "" || has.has(mark),
  ) as (typeof FORMATS)[number];
  requireColumns(table, path, format.columns, `a file like ${format.name}`);
  const rows = table.rows.map((fields, index): ReadRow => {
    const row = index + 1;
    try {
      return { row, run: format.read(fields) };
    } catch (error) {
      if (error instanceof RowProblem) return { row, run: null, reason: error.message };
      throw error;
    }
  });
  return { table, rows };
}
