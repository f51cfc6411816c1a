import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { EXIT_CODES, MoestroError } from "../errors.ts";
import { EXIT_CODE_HELP } from "./exit-codes.ts";
import { watchOutputs } from "./output-errors.ts";

const USAGE_EXIT_CODE = 2;
/** How long a command that has done its work may take to end by itself. */
const LINGER_MS = 1000;

/**
 * Every command, in the order of the help. Each is loaded when it is run: most have little
 * in common, and loading all takes longer than what many of them do.
 */
const COMMANDS: Record<string, () => Promise<Command>> = {
  train: async () => (await import("./train.ts")).trainCommand(),
  plan: async () => (await import("./plan.ts")).planCommand(),
  partition: async () => (await import("./partition.ts")).partitionCommand(),
  predict: async () => (await import("./predict.ts")).predictCommand(),
  probe: async () => (await import("./probe.ts")).probeCommand(),
  calibrate: async () => (await import("./calibrate.ts")).calibrateCommand(),
  export: async () => {
    const { planChart, planJobFile } = await import("./plan/planned-step.ts");
    return (await import("./export.ts")).exportCommand(planJobFile, planChart);
  },
  advise: async () => (await import("./advise.ts")).adviseCommand(),
  import: async () => (await import("./import.ts")).importCommand(),
  upcycle: async () => (await import("./upcycle.ts")).upcycleCommand(),
  "export-model": async () => (await import("./export-model.ts")).exportModelCommand(),
  data: async () => (await import("./data.ts")).dataCommand(),
  schema: async () => (await import("./schema.ts")).schemaCommand(),
  doctor: async () => (await import("./doctor.ts")).doctorCommand(),
  serve: async () => (await import("./serve.ts")).serveCommand(),
  operator: async () => (await import("./operator.ts")).operatorCommand(),
  agent: async () => (await import("./agent.ts")).agentCommand(),
  submit: async () => (await import("./submit.ts")).submitCommand(),
  list: async () => (await import("./list.ts")).listCommand(),
  watch: async () => (await import("./watch.ts")).watchCommand(),
  status: async () => (await import("./status.ts")).statusCommand(),
  logs: async () => (await import("./logs.ts")).logsCommand(),
  events: async () => (await import("./events.ts")).eventsCommand(),
  stop: async () => (await import("./stop.ts")).stopCommand(),
  suspend: async () => (await import("./suspend.ts")).suspendCommand(),
  resume: async () => (await import("./resume.ts")).resumeCommand(),
  scale: async () => (await import("./scale.ts")).scaleCommand(),
  checkpoint: async () => (await import("./checkpoint.ts")).checkpointCommand(),
  agents: async () => (await import("./agents.ts")).agentsCommand(),
  drain: async () => (await import("./drain.ts")).drainCommand(),
  token: async () => (await import("./token.ts")).tokenCommand(),
  login: async () => (await import("./login.ts")).loginCommand(),
  k8s: async () => (await import("./k8s.ts")).k8sCommand(),
  completion: async () => (await import("./completion.ts")).completionCommand(),
};

/** Other names of commands. */
const ALIASES: Record<string, string> = { cancel: "stop" };

/** Runs one command line and sets the process's exit code. */
export async function main(args: readonly string[]): Promise<void> {
  watchOutputs();
  try {
    const [name = ""] = args;
    const chosen = ALIASES[name] ?? name;
    // Completion is made of all commands, and help and mistakes name them.
    const isAlone = Object.hasOwn(COMMANDS, chosen) && chosen !== "completion";
    const root = await program(isAlone ? [chosen] : Object.keys(COMMANDS));
    await root.parseAsync([...args], { from: "user" });
  } catch (error) {
    process.exitCode = report(error);
  }
}

async function program(names: readonly string[]): Promise<Command> {
  const { version } = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  ) as { version: string };
  const root = new Command("moestro")
    .description("Plans and runs distributed training of Mixture-of-Experts language models.")
    .version(version)
    .addHelpText("after", EXIT_CODE_HELP)
    .showHelpAfterError("(moestro --help lists the commands)");
  for (const name of names) {
    const command = await COMMANDS[name]?.();
    if (command) root.addCommand(command.exitOverride());
  }
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

/** What the launcher calls, in this process or as this file. */
export async function run(args: readonly string[]): Promise<void> {
  await main(args);
  // A coordinator that was asked and hung leaves a connection that would be waited for.
  setTimeout(() => process.exit(), LINGER_MS).unref();
}

if (import.meta.main) await run(process.argv.slice(2));
