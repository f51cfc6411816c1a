import type { RunState, RunStatus } from "../../../proto/gen/moestro/v1/run_pb.js";
import { MoestroError } from "../../errors.ts";
import { formatDuration } from "../../report/format.ts";
import { exitCodeOf, INTERRUPTED } from "../exit-codes.ts";
import { stopOnSignals } from "../signals.ts";
import { figures, isEnded, stateName } from "../view/figures.ts";
import { Output } from "../view/output.ts";
import { type Environment, hasUnicode } from "../view/terminal.ts";
import { sanitize, toAscii } from "../view/text.ts";
import { Feed, type FeedOptions } from "./feed.ts";
import type { Update } from "./watch-state.ts";

/** Least time between two lines of a run whose state stays as it is. */
const EVERY_MS = 1000;

export type PlainWatchOptions = Pick<FeedOptions, "coordinators"> & {
  stream: NodeJS.WriteStream;
  env: Environment;
  /** Watched to its end; undefined for all runs. */
  runId: string | undefined;
};

/** A line whenever a run has changed, for pipes and logs; returns the exit code. */
export async function printRuns(options: PlainWatchOptions): Promise<number> {
  const { stream, env, runId, coordinators } = options;
  const output = new Output(stream);
  const told = new Map<string, { state: RunState; line: string; atMs: number }>();
  let exitCode = 0;
  let problem: string | undefined;
  let why = "";

  const tell = (status: RunStatus) => {
    const line = runLine(status);
    const last = told.get(status.runId);
    const isDue = performance.now() - (last?.atMs ?? Number.NEGATIVE_INFINITY) >= EVERY_MS;
    if (last?.line === line || (last?.state === status.state && !isDue)) return;
    told.set(status.runId, { state: status.state, line, atMs: performance.now() });
    output.write(`${hasUnicode(env) ? line : toAscii(line)}\n`);
  };
  const updated = (update: Update) => {
    if (update.kind === "runs" && runId === undefined) for (const run of update.runs) tell(run);
    if (update.kind === "status") {
      tell(update.status);
      if (isEnded(update.status)) {
        exitCode = exitCodeOf(update.status);
        feed.stop();
      }
    }
    if (update.kind === "problem") {
      problem = update.problem;
      feed.stop();
    }
    if (update.kind === "link") {
      const next = update.link.phase === "away" ? update.link.why : "";
      if (next !== "" && next !== why) console.error(`${sanitize(next)}; trying again`);
      why = next;
    }
  };
  const feed = new Feed({ coordinators, update: updated });
  const signals = stopOnSignals(() => {
    exitCode = INTERRUPTED;
    feed.stop();
  });
  // A reader that goes away has seen enough.
  stream.once("error", () => feed.stop());
  feed.follow(runId);
  try {
    await feed.run();
  } finally {
    feed.stop();
    signals.release();
  }
  if (problem !== undefined) throw new MoestroError("not_found", problem);
  return exitCode;
}

function runLine(status: RunStatus): string {
  const parts =
    status.step === 0n
      ? []
      : [
          `step ${status.step}/${status.totalSteps}`,
          ...figures(status, undefined).map(({ name, value }) => `${name} ${value}`),
          ...(isEnded(status) ? [] : [`ETA ${formatDuration(Number(status.etaMs))}`]),
        ];
  const head = `${sanitize(status.runId)}: ${stateName(status)} (${sanitize(status.reason)})`;
  return parts.length === 0 ? head : `${head}: ${parts.join("  ")}`;
}
