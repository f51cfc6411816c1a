import { Command } from "commander";
import { addServiceOptions, runService, type ServiceOptions } from "./service-options.ts";

export function serveCommand(): Command {
  const command = new Command("serve").description(
    "run a coordinator: a queue of runs, and their recovery",
  );
  return addServiceOptions(command).action((options: ServiceOptions) => runService(options));
}
