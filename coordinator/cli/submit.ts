import { readFileSync } from "node:fs";
import { create } from "@bufbuild/protobuf";
import { Command } from "commander";
import { SubmitRunRequestSchema } from "../../proto/gen/moestro/v1/run_pb.js";
import { refuseUntrainable } from "../spec/engine-model.ts";
import { loadJob } from "../spec/load-job.ts";
import { callCoordinator, coordinatorOption, findCoordinators } from "./context.ts";
import { followStatus } from "./follow-status.ts";
import { runMethods } from "./run-client.ts";
import { parseRunId } from "./run-ids.ts";
import { wholeNumber } from "./whole-number.ts";

type SubmitOptions = {
  priority: number;
  min?: number;
  max?: number;
  maxRestarts?: number;
  runId?: string;
  watch: boolean;
  json: boolean;
  coordinator?: string[];
};

export function submitCommand(): Command {
  return new Command("submit")
    .description("queue a job with a coordinator")
    .argument("<job>", "the job file (YAML); its data must lie where the agents are")
    .option("--priority <n>", "higher goes first", wholeNumber(-2_147_483_648), 0)
    .option("--min <ranks>", "fewest ranks it may have (default: the job's)", wholeNumber(1))
    .option("--max <ranks>", "most ranks it may have (default: the job's)", wholeNumber(1))
    .option(
      "--max-restarts <n>",
      "start its ranks again this often when some fail by themselves (default: the coordinator's)",
      wholeNumber(0),
    )
    .option("--run-id <id>", "name of the run (default: the job's, and the time)", parseRunId)
    .option("--watch", "show the run until it ends, and exit as it did", false)
    .option("--json", "one JSON object (a line each with --watch)", false)
    .addOption(coordinatorOption())
    .action(async (path: string, options: SubmitOptions) => {
      const runId = await submit(path, options);
      if (options.json) console.log(JSON.stringify({ runId }));
      else {
        // Beside standard output, which a script takes as the id.
        console.error(`queued; moestro status ${runId} says how it does`);
        console.log(runId);
      }
      if (!options.watch) return;
      const coordinators = await findCoordinators(options.coordinator);
      process.exitCode = await followStatus(
        runId,
        { ...coordinators, isTrain: false },
        options.json,
      );
    });
}

async function submit(path: string, options: SubmitOptions): Promise<string> {
  const file = await loadJob(path);
  refuseUntrainable(file);
  const { priority, min = 0, max = 0, maxRestarts, runId = "" } = options;
  const request = create(SubmitRunRequestSchema, {
    jobJson: JSON.stringify(file.job),
    jobText: readFileSync(file.path, "utf8"),
    ...{ runId, priority, minRanks: min, maxRanks: max },
    ...(maxRestarts === undefined ? {} : { maxRestarts }),
  });
  const answer = await callCoordinator(runMethods.submitRun, request, options.coordinator);
  return answer.runId;
}
