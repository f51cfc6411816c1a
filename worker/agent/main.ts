import { MoestroError } from "../../coordinator/errors.ts";
import { parseOptions } from "./options.ts";
import { runAgent } from "./run-agent.ts";

try {
  process.exit(await runAgent(parseOptions(process.argv.slice(2))));
} catch (error) {
  console.error(`moestro agent: ${(error as Error).message}`);
  process.exit(error instanceof MoestroError ? error.exitCode : 1);
}
