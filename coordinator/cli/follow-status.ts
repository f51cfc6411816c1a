import { create } from "@bufbuild/protobuf";
import {
  type RunStatus,
  RunStatusSchema,
  WatchRunRequestSchema,
} from "../../proto/gen/moestro/v1/run_pb.js";
import { exitCodeOf } from "./exit-codes.ts";
import { follow } from "./follow.ts";
import { plainMessage } from "./plain-message.ts";
import { printLine } from "./print.ts";
import { type RunCoordinators, runMethods } from "./run-client.ts";
import { runLine } from "./run-text.ts";
import { untilInterrupted } from "./until-interrupted.ts";

/** Shows a run whenever something about it changes, until it ends; returns the exit code. */
export async function followStatus(
  runId: string,
  coordinators: RunCoordinators,
  json: boolean,
): Promise<number> {
  const request = create(WatchRunRequestSchema, { runId });
  const show = json ? showJson : showLines();
  return untilInterrupted(async (signal) => {
    let last: RunStatus | undefined;
    const method = runMethods.watchRun;
    for await (const { status } of follow({ runId, coordinators, method, request, signal })) {
      if (!status) continue;
      show(status);
      last = status;
    }
    return last ? exitCodeOf(last) : 0;
  });
}

/** A run as `--json` has it. */
export function showJson(status: RunStatus): void {
  console.log(JSON.stringify(plainMessage(RunStatusSchema, status)));
}

/** Lines that differ from the one before: a status has more than a line tells. */
function showLines(): (status: RunStatus) => void {
  let shown = "";
  return (status) => {
    const line = runLine(status);
    if (line !== shown) printLine(line);
    shown = line;
  };
}
