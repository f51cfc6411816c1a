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
  "nanotron-slow-network": "nanotron, slow collectives",
  "nanotron-slow-pipeline": "nanotron, slow messages",
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
