import { Command } from "commander";
import { coordinatorOption, findCoordinators } from "./context.ts";
import { parseRunId } from "./run-ids.ts";
import { chooseMode } from "./view/terminal.ts";
import { showDashboard } from "./watch/dashboard.ts";
import { printRuns } from "./watch/plain-watch.ts";

/** For what is on its way to the terminal or a pipe. */
const LINGER_MS = 200;

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
  try {
    process.exitCode =
      chooseMode(false, stream, env) === "live"
        ? await showDashboard({ stream, input, env, runId, coordinators })
        : await printRuns({ stream, env, runId, coordinators });
  } finally {
    // A connection to a coordinator that hangs would keep the process for as long as it does.
    setTimeout(() => process.exit(), LINGER_MS).unref();
  }
}
