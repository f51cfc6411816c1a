import type { RunOutcome, SummaryRecord } from "../report/records.ts";
import type { RunFigures } from "./so-far.ts";

export type SummaryInput = {
  runId: string;
  name: string;
  status: RunOutcome;
  reason: string;
  /** Of all steps of the run, those before a resume too. */
  figures: RunFigures;
  /** Trained by this process. */
  numTokensHere: number;
  wallSeconds: number;
  trainSeconds: number | null;
  sample: string | null;
  checkpointStep: number;
  generation: number;
  lateControlValues: number;
};

/** summary.json: what became of a run, in a few figures. */
export function summaryRecord(input: SummaryInput): SummaryRecord {
  const { figures, numTokensHere, trainSeconds } = input;
  return {
    runId: input.runId,
    name: input.name,
    status: input.status,
    reason: input.reason,
    ...figures,
    tokensPerSecond: trainSeconds ? numTokensHere / trainSeconds : null,
    wallSeconds: input.wallSeconds,
    trainSeconds,
    sample: input.sample,
    checkpointStep: input.checkpointStep,
    generation: input.generation,
    lateControlValues: input.lateControlValues,
  };
}
