import { MoestroError } from "../errors.ts";
import type { RunOutcome, SummaryRecord } from "../report/records.ts";
import type { RunContext } from "./prepare-generation.ts";
import type { RunTally } from "./run-tally.ts";
import { figuresOf, type RunFigures } from "./so-far.ts";
import { summaryRecord } from "./summary.ts";

export type RunEnd = {
  state: "succeeded" | "stopped" | "failed" | "suspended" | "queued";
  reason: string;
  /** Of a failure, by its cause. */
  exitCode: number;
  /** Of a run that is over. */
  summary: SummaryRecord | undefined;
};

/**
 * Writes and stores how a run ended. Throws MoestroError with both reasons if that cannot be
 * written; the end is stored all the same.
 */
export async function concludeRun(
  context: RunContext,
  tally: RunTally,
  { state, reason, exitCode }: { state: RunOutcome; reason: string; exitCode: number },
): Promise<RunEnd> {
  const { journal, runId } = context;
  const { facts } = journal;
  const { numTokens, numSteps, trainMs } = tally.here;
  const summary = summaryRecord({
    ...{ runId, name: facts.name, status: state, generation: facts.generation, reason },
    figures: figures(context),
    numTokensHere: numTokens,
    wallSeconds: tally.wallSeconds,
    trainSeconds: numSteps > 0 ? trainMs / 1000 : null,
    sample: facts.sample,
    checkpointStep: facts.checkpointStep,
    lateControlValues: facts.lateControlValues,
  });
  // Only a run that has done its work waits for a disk that does not take it.
  const unwritten = await writeSummary(context, summary, state === "succeeded");
  try {
    journal.update({ exitCode });
    journal.setState(state, reason);
    await journal.stored;
    if (unwritten) throw unwritten;
    return { state, reason, exitCode, summary };
  } catch (error) {
    if (!(error instanceof MoestroError)) throw error;
    throw new MoestroError(error.code, [reason, ...error.lines]);
  }
}

/** A disk that cannot be read keeps no end from being stored: then what the last step tells. */
function figures({ journal, recorder }: RunContext): RunFigures {
  try {
    return recorder.steps.figures();
  } catch (error) {
    const message = `the summary lacks figures: ${(error as Error).message}`;
    journal.event("summary.incomplete", message);
    return figuresOf(recorder.steps.last);
  }
}

/** Returns why it is not written, if it is not. Throws if another coordinator has the run. */
async function writeSummary(
  { recorder }: RunContext,
  summary: SummaryRecord,
  waits: boolean,
): Promise<Error | undefined> {
  try {
    recorder.summary(summary);
    if (waits) await recorder.written();
    return recorder.problem;
  } catch (error) {
    if (recorder.isClosed) throw error;
    return error as Error;
  }
}
