import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { StopRunRequestSchema } from "../../proto/gen/moestro/v1/run_pb.js";
import { MoestroError } from "../errors.ts";
import { type ActionOptions, actionCommand, printTaken } from "./run-action.ts";
import { callRun, isTrained, runMethods, runsByAge } from "./run-client.ts";

type StopOptions = ActionOptions & { now: boolean };

export function stopCommand(): Command {
  return actionCommand("stop", "checkpoint a run and stop it, or take it out of the queue")
    .alias("cancel")
    .argument("[run]", "id of the run (default: the newest under moestro train here)")
    .option("--now", "stop at once, without a checkpoint", false)
    .action(async (run: string | undefined, options: StopOptions) => {
      const runId = run ?? newestHere(options);
      const checkpoint = !options.now;
      const request = create(StopRunRequestSchema, { runId, checkpoint });
      await callRun(options, runId, runMethods.stopRun, request);
      const sentence = `run ${runId} is stopping${checkpoint ? " after a checkpoint" : ""}`;
      printTaken(options, { runId, asked: "stop", checkpoint }, sentence);
    });
}

/** Runs of a service are many people's: which is meant must be said. */
function newestHere(where: StopOptions): string {
  const newest = runsByAge(where.runsDir).find((runId) => isTrained(where, runId));
  if (newest !== undefined) return newest;
  throw new MoestroError(
    "invalid_input",
    `${where.runsDir}: none runs under moestro train here; give the id of a run, which moestro list shows`,
  );
}
