import { create } from "@bufbuild/protobuf";
import { Command } from "commander";
import { ListRunsRequestSchema, RunStatusSchema } from "../../proto/gen/moestro/v1/run_pb.js";
import { callCoordinator, coordinatorOption } from "./context.ts";
import { plainMessage } from "./plain-message.ts";
import { printTable } from "./print.ts";
import { runMethods } from "./run-client.ts";
import { RUN_HEADING, runRow } from "./run-table.ts";
import { isEnded } from "./view/figures.ts";

type ListOptions = { all: boolean; json: boolean; coordinator?: string[] };

export function listCommand(): Command {
  return new Command("list")
    .description("show the runs of a coordinator, in the order they would start")
    .option("--all", "those that have ended lately, too", false)
    .option("--json", "one JSON array", false)
    .addOption(coordinatorOption())
    .action(list);
}

async function list({ all, json, coordinator }: ListOptions): Promise<void> {
  const request = create(ListRunsRequestSchema);
  const { runs } = await callCoordinator(runMethods.listRuns, request, coordinator);
  const shown = all ? runs : runs.filter((run) => !isEnded(run));
  if (json) console.log(JSON.stringify(shown.map((run) => plainMessage(RunStatusSchema, run))));
  else if (shown.length > 0) {
    const nowMs = Date.now();
    printTable(
      RUN_HEADING,
      shown.map((run) => runRow(run, nowMs)),
    );
  } else {
    const ended =
      runs.length > 0 ? `; moestro list --all shows ${runs.length} that have ended` : "";
    console.log(`there are no runs; moestro submit job.yaml queues one${ended}`);
  }
}
