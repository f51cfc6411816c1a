import { create } from "@bufbuild/protobuf";
import { Command } from "commander";
import { StopRunRequestSchema } from "../../proto/gen/moestro/v1/run_pb.js";
import { runsDirectoryOption } from "./options.ts";
import { callError, chooseRun, connectToRun, RPC_DEADLINE_MS, runMethods } from "./run-client.ts";

export function stopCommand(): Command {
  return new Command("stop")
    .description("checkpoint a run and stop it")
    .argument("[run]", "id of the run (default: the newest)")
    .option("--now", "stop at once, without a checkpoint", false)
    .addOption(runsDirectoryOption())
    .action(async (run: string | undefined, options: { now: boolean; runsDir: string }) => {
      const runId = chooseRun(options.runsDir, run);
      const client = await connectToRun(options.runsDir, runId);
      const request = create(StopRunRequestSchema, { runId, checkpoint: !options.now });
      const { path, requestSerialize, responseDeserialize } = runMethods.stopRun;
      await new Promise<void>((resolve, reject) => {
        const deadline = { deadline: Date.now() + RPC_DEADLINE_MS };
        client.makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          request,
          deadline,
          (error) => (error ? reject(callError(runId, error)) : resolve()),
        );
      });
      client.close();
      console.log(`run ${runId} is stopping${options.now ? "" : " after a checkpoint"}`);
    });
}
