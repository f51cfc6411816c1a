import { create } from "@bufbuild/protobuf";
import { Command } from "commander";
import {
  GetRunRequestSchema,
  ListRunsRequestSchema,
  type RunStatus,
} from "../../proto/gen/moestro/v1/run_pb.js";
import { EXIT_CODES, MoestroError } from "../errors.ts";
import type { StoredRun } from "../store/store.ts";
import { callCoordinator, coordinatorOption } from "./context.ts";
import { summaryOf, trainedRun } from "./ended-run.ts";
import { followStatus, showJson } from "./follow-status.ts";
import { runsDirectoryOption } from "./options.ts";
import { printLine } from "./print.ts";
import {
  callRun,
  coordinatorsOf,
  isTrained,
  runMethods,
  runsByAge,
  type Where,
} from "./run-client.ts";
import { runText } from "./run-text.ts";
import { sanitize } from "./view/text.ts";

type StatusOptions = Where & { json: boolean; watch: boolean };

export function statusCommand(): Command {
  return new Command("status")
    .description("show how a run is doing")
    .argument("[run]", "id of the run (default: the newest)")
    .option("--json", "one JSON object (a line each with --watch)", false)
    .option("--watch", "go on showing it until it ends", false)
    .addOption(runsDirectoryOption())
    .addOption(coordinatorOption())
    .action(async (run: string | undefined, options: StatusOptions) => {
      const runId = run ?? (await newestRun(options));
      try {
        if (options.watch) {
          const coordinators = await coordinatorsOf(options, runId);
          process.exitCode = await followStatus(runId, coordinators, options.json);
        } else show(await getRun(options, runId), options);
      } catch (error) {
        // No coordinator has it: it may be one that has ended under `moestro train` here.
        const trained = await endedHere(options, runId);
        if (!trained || !(error instanceof MoestroError)) throw error;
        const summary = summaryOf(options.runsDir, trained);
        const { status, steps, reason } = summary;
        if (options.json) console.log(JSON.stringify(summary));
        else printLine(sanitize(`${runId}: ${status} at step ${steps}: ${reason}`));
        if (options.watch && status === "failed") process.exitCode = EXIT_CODES.run_failed;
      }
    });
}

/** The newest run under `moestro train`, else of the service, else that has ended here. */
async function newestRun(where: Where): Promise<string> {
  const [here] = where.coordinator ? [] : runsByAge(where.runsDir);
  if (here !== undefined && isTrained(where, here)) return here;
  try {
    const request = create(ListRunsRequestSchema);
    const { runs } = await callCoordinator(runMethods.listRuns, request, where.coordinator);
    const [newest] = [...runs].sort((a, b) => Number(b.submittedAtMs - a.submittedAtMs));
    if (newest) return newest.runId;
  } catch (error) {
    if (where.coordinator || !(error instanceof MoestroError)) throw error;
    if (here === undefined) {
      const none = `${where.runsDir}: holds no run; start one with: moestro train job.yaml`;
      throw new MoestroError(error.code, `${none}; ${error.message}`);
    }
  }
  if (here !== undefined) return here;
  throw new MoestroError("not_found", "there are no runs; queue one with: moestro submit job.yaml");
}

async function getRun(where: Where, runId: string): Promise<RunStatus> {
  const request = create(GetRunRequestSchema, { runId });
  const { status } = await callRun(where, runId, runMethods.getRun, request);
  if (status) return status;
  throw new MoestroError("run_failed", `run ${runId}: its coordinator sent no status`);
}

function show(status: RunStatus, { json }: StatusOptions): void {
  if (json) showJson(status);
  else for (const line of runText(status, Date.now())) printLine(line);
}

async function endedHere(where: Where, runId: string): Promise<StoredRun | undefined> {
  if (where.coordinator || isTrained(where, runId)) return undefined;
  return trainedRun(where.runsDir, runId);
}
