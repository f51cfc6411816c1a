import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { ResumeRunRequestSchema } from "../../proto/gen/moestro/v1/run_pb.js";
import { type ActionOptions, actionCommand, printTaken } from "./run-action.ts";
import { callRun, runMethods } from "./run-client.ts";

export function resumeCommand(): Command {
  return actionCommand("resume", "queue a suspended run again; it goes on behind its checkpoint")
    .argument("<run>", "id of the run")
    .action(async (runId: string, options: ActionOptions) => {
      const request = create(ResumeRunRequestSchema, { runId });
      await callRun(options, runId, runMethods.resumeRun, request);
      printTaken(options, { runId, asked: "resume" }, `run ${runId} is queued again`);
    });
}
