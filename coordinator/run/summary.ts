import type { MetricsRecord, RunOutcome, SummaryRecord } from "../report/records.ts";

/** Share of the steps, at each end, over which the summary's drop rates are means. */
const WINDOW_SHARE = 0.1;

/** What the summary remembers of each step. */
export type StepDigest = {
  step: number;
  loss: number;
  tokens: number;
  stepMs: number;
  /** Mean over layers. */
  dropRate: number;
  validationLoss: number | undefined;
};

export function digest(record: MetricsRecord): StepDigest {
  const { step, loss, layers, validationLoss, numSteps = 1 } = record;
  const tokens = record.tokens * numSteps;
  const stepMs = record.stepMs * numSteps;
  return {
    step,
    loss,
    tokens,
    stepMs,
    dropRate: mean(layers.map((layer) => layer.dropRate)),
    validationLoss,
  };
}

export type SummaryInput = {
  runId: string;
  name: string;
  status: RunOutcome;
  reason: string;
  /** All steps of the run in order, those before a resume too. */
  history: readonly StepDigest[];
  /** Steps trained by this process. */
  numStepsHere: number;
  wallSeconds: number;
  trainSeconds: number | null;
  sample: string | null;
  checkpointStep: number;
  generation: number;
  lateControlValues: number;
};

/** summary.json: what became of a run, in a few figures. */
export function summaryRecord(input: SummaryInput): SummaryRecord {
  const { history, trainSeconds } = input;
  const last = history.at(-1);
  const here = history.slice(history.length - input.numStepsHere);
  const tokensHere = here.reduce((total, step) => total + step.tokens, 0);
  const window = Math.max(1, Math.round(history.length * WINDOW_SHARE));
  return {
    runId: input.runId,
    name: input.name,
    status: input.status,
    reason: input.reason,
    steps: last?.step ?? 0,
    firstLoss: history[0]?.loss ?? null,
    finalLoss: last?.loss ?? null,
    validationLoss:
      history.findLast((step) => step.validationLoss !== undefined)?.validationLoss ?? null,
    tokensPerSecond: trainSeconds ? tokensHere / trainSeconds : null,
    meanDropRateFirst: meanDropRate(history.slice(0, window)),
    meanDropRateLast: meanDropRate(history.slice(-window)),
    wallSeconds: input.wallSeconds,
    trainSeconds,
    sample: input.sample,
    checkpointStep: input.checkpointStep,
    generation: input.generation,
    lateControlValues: input.lateControlValues,
  };
}

function meanDropRate(steps: readonly StepDigest[]): number | null {
  return steps.length === 0 ? null : mean(steps.map((step) => step.dropRate));
}

function mean(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0) / Math.max(1, values.length);
}
