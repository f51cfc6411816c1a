import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { SuspendRunRequestSchema } from "../../proto/gen/moestro/v1/run_pb.js";
import { type ActionOptions, actionCommand, printTaken } from "./run-action.ts";
import { callRun, runMethods } from "./run-client.ts";

export function suspendCommand(): Command {
  return actionCommand("suspend", "checkpoint a run and give its slots to others until it resumes")
    .argument("<run>", "id of the run")
    .action(async (runId: string, options: ActionOptions) => {
      const request = create(SuspendRunRequestSchema, { runId });
      await callRun(options, runId, runMethods.suspendRun, request);
      const sentence = `run ${runId} is being suspended; moestro resume ${runId} queues it again`;
      printTaken(options, { runId, asked: "suspend" }, sentence);
    });
}
