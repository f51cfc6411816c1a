import { Command } from "commander";
import { coordinatorOption, findCoordinators } from "./context.ts";
import { parseRunId } from "./run-ids.ts";
import { chooseMode } from "./view/terminal.ts";
import { showDashboard } from "./watch/dashboard.ts";
import { printRuns } from "./watch/plain-watch.ts";

export function watchCommand(): Command {
  return new Command("watch")
    .description("show all runs, or one, live in the terminal; a line at a time into a pipe")
    .argument("[run]", "id of the run to open", parseRunId)
    .addOption(coordinatorOption())
    .action(watch);
}

async function watch(
  runId: string | undefined,
  options: { coordinator?: string[] },
): Promise<void> {
  const { stdout: stream, stdin: input, env } = process;
  const coordinators = () => findCoordinators(options.coordinator);
  process.exitCode =
    chooseMode(false, stream, env) === "live"
      ? await showDashboard({ stream, input, env, runId, coordinators })
      : await printRuns({ stream, env, runId, coordinators });
}
