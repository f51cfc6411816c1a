import { Command } from "commander";
import { coordinatorOption } from "./context.ts";
import { runsDirectoryOption } from "./options.ts";
import { printLine } from "./print.ts";
import type { Where } from "./run-client.ts";

export type ActionOptions = Where & { json: boolean };

/** The options of every command that asks for something to become of a run. */
export function actionCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option("--json", "one JSON object", false)
    .addOption(runsDirectoryOption())
    .addOption(coordinatorOption());
}

/** Says that the coordinator has taken it; the run's state and events tell what came of it. */
export function printTaken(
  { json }: { json: boolean },
  record: { runId: string } & Record<string, unknown>,
  sentence: string,
): void {
  if (json) console.log(JSON.stringify(record));
  else printLine(sentence);
}
