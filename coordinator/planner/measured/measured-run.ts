import type { Placement, Workload } from "../cost/workload.ts";
import type { Schedule } from "./step-time.ts";

/** Which kind of run a row is; errors are summarised by it. */
export type RunKind =
  | "moe"
  | "fsdp"
  | "dense"
  | "nanotron"
  | "nanotron-slow-network"
  | "nanotron-slow-pipeline"
  | "vtrain";

export const RUN_KINDS: Record<RunKind, string> = {
  moe: "MoE, Megatron's kind",
  fsdp: "MoE, FSDP",
  dense: "dense, Megatron's kind",
  nanotron: "nanotron",
  "nanotron-slow-network": "nanotron on a degraded network",
  "nanotron-slow-pipeline": "nanotron before its pipeline was repaired",
  vtrain: "vTrain",
};

/** A published run, with every field that its row leaves empty assumed. */
export interface MeasuredRun {
  kind: RunKind;
  /** Who published it: rows of one source are left out together. */
  source: string;
  /** A finer group inside a large source, for leaving out models in turn. */
  group: string;
  name: string;
  workload: Workload;
  placement: Placement;
  schedule: Schedule;
  numMicroBatches: number;
  /** Tokens a second a GPU as published, or computed from what is. */
  measured: number;
  assumed: readonly string[];
}

/** A row as it was read: a run, or why it is none. */
export type ReadRow = { row: number } & ({ run: MeasuredRun } | { run: null; reason: string });

/** The reason a row cannot be predicted; caught where rows are read. */
export class RowProblem extends Error {}

/** A positive number of a field, undefined when it is empty. */
export function numberOf(fields: Record<string, string>, name: string): number | undefined {
  const text = fields[name] ?? "";
  if (text === "") return undefined;
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) {
    throw new RowProblem(`${name} is "${text}", not a positive number`);
  }
  return value;
}

/** The same for counts. */
export function countOf(fields: Record<string, string>, name: string): number | undefined {
  const value = numberOf(fields, name);
  if (value !== undefined && !Number.isInteger(value)) {
    throw new RowProblem(`${name} is ${value}, not a whole number`);
  }
  return value;
}

export function requiredCount(fields: Record<string, string>, name: string): number {
  const value = countOf(fields, name);
  if (value === undefined) throw new RowProblem(`${name} is empty`);
  return value;
}
