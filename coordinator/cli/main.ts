import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { EXIT_CODES, MoestroError } from "../errors.ts";
import { adviseCommand } from "./advise.ts";
import { agentCommand } from "./agent.ts";
import { agentsCommand } from "./agents.ts";
import { calibrateCommand } from "./calibrate.ts";
import { checkpointCommand } from "./checkpoint.ts";
import { completionCommand } from "./completion.ts";
import { dataCommand } from "./data.ts";
import { doctorCommand } from "./doctor.ts";
import { drainCommand } from "./drain.ts";
import { eventsCommand } from "./events.ts";
import { EXIT_CODE_HELP } from "./exit-codes.ts";
import { exportCommand } from "./export.ts";
import { exportModelCommand } from "./export-model.ts";
import { importCommand } from "./import.ts";
import { listCommand } from "./list.ts";
import { loginCommand } from "./login.ts";
import { logsCommand } from "./logs.ts";
import { watchOutputs } from "./output-errors.ts";
import { partitionCommand } from "./partition.ts";
import { planChart, planJobFile } from "./plan/planned-step.ts";
import { planCommand } from "./plan.ts";
import { predictCommand } from "./predict.ts";
import { probeCommand } from "./probe.ts";
import { resumeCommand } from "./resume.ts";
import { scaleCommand } from "./scale.ts";
import { schemaCommand } from "./schema.ts";
import { serveCommand } from "./serve.ts";
import { statusCommand } from "./status.ts";
import { stopCommand } from "./stop.ts";
import { submitCommand } from "./submit.ts";
import { suspendCommand } from "./suspend.ts";
import { tokenCommand } from "./token.ts";
import { trainCommand } from "./train.ts";
import { upcycleCommand } from "./upcycle.ts";
import { watchCommand } from "./watch.ts";

const USAGE_EXIT_CODE = 2;
/** How long a command that has done its work may take to end by itself. */
const LINGER_MS = 1000;

/** Runs one command line and sets the process's exit code. */
export async function main(args: readonly string[]): Promise<void> {
  watchOutputs();
  try {
    await program().parseAsync([...args], { from: "user" });
  } catch (error) {
    process.exitCode = report(error);
  }
  // A coordinator that was asked and hung leaves a connection that would be waited for.
  setTimeout(() => process.exit(), LINGER_MS).unref();
}

function program(): Command {
  const { version } = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  ) as { version: string };
  const commands = [
    trainCommand(),
    planCommand(),
    partitionCommand(),
    predictCommand(),
    probeCommand(),
    calibrateCommand(),
    exportCommand(planJobFile, planChart),
    adviseCommand(),
    importCommand(),
    upcycleCommand(),
    exportModelCommand(),
    dataCommand(),
    schemaCommand(),
    doctorCommand(),
    serveCommand(),
    agentCommand(),
    submitCommand(),
    listCommand(),
    watchCommand(),
    statusCommand(),
    logsCommand(),
    eventsCommand(),
    stopCommand(),
    suspendCommand(),
    resumeCommand(),
    scaleCommand(),
    checkpointCommand(),
    agentsCommand(),
    drainCommand(),
    tokenCommand(),
    loginCommand(),
    completionCommand(),
  ];
  const root = new Command("moestro")
    .description("Plans and runs distributed training of Mixture-of-Experts language models.")
    .version(version)
    .addHelpText("after", EXIT_CODE_HELP)
    .showHelpAfterError("(moestro --help lists the commands)");
  for (const command of commands) root.addCommand(command.exitOverride());
  return root.exitOverride();
}

/** Tells a person what went wrong, without a stack unless it is our own mistake. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE_EXIT_CODE;
  if (error instanceof MoestroError) {
    for (const line of error.lines) console.error(line);
    return error.exitCode;
  }
  if (isSystemError(error)) {
    console.error(`${error.path ?? "moestro"}: ${error.message}; free space or change permissions`);
    return EXIT_CODES.environment;
  }
  throw error;
}

/** A failure of the operating system: a full disk, a missing right. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "syscall" in error && "code" in error;
}

if (import.meta.main) await main(process.argv.slice(2));
