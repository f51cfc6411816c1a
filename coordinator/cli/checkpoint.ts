import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { SaveCheckpointRequestSchema } from "../../proto/gen/moestro/v1/run_pb.js";
import { MoestroError } from "../errors.ts";
import { type ActionOptions, actionCommand, printTaken } from "./run-action.ts";
import { callRun, runMethods } from "./run-client.ts";

export function checkpointCommand(): Command {
  return actionCommand("checkpoint", "write a checkpoint at the end of the step that runs")
    .usage("[options] [now] <run>")
    .argument("<run>", "id of the run; the word now may stand before it")
    .argument("[rest]", "")
    .action(async (first: string, second: string | undefined, options: ActionOptions) => {
      const runId = chosen(first, second);
      const request = create(SaveCheckpointRequestSchema, { runId });
      await callRun(options, runId, runMethods.saveCheckpoint, request);
      const sentence = `run ${runId} writes a checkpoint; moestro events ${runId} tells when it is committed`;
      printTaken(options, { runId, asked: "checkpoint" }, sentence);
    });
}

/** `checkpoint now RUN` reads well; a run may be called "now" all the same. */
function chosen(first: string, second: string | undefined): string {
  if (second === undefined) return first;
  if (first === "now") return second;
  throw new MoestroError("invalid_input", `${second}: one run at a time; give one id`);
}
