import { rmSync } from "node:fs";
import { Agent } from "./agent.ts";
import { parseOptions } from "./options.ts";

// Ctrl-C in a terminal reaches every process in the foreground; stopping is the
// coordinator's to decide.
process.on("SIGINT", () => {});

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  const agent = new Agent(options);
  process.on("SIGTERM", () => void agent.leave("asked to end (SIGTERM)"));
  if (options.exitWithParent) {
    process.stdin.on("end", () => void agent.leave("the process that started this agent is gone"));
    process.stdin.on("error", () => {});
    process.stdin.resume();
  }
  const exitCode = await agent.done;
  if (options.ownCredentials) rmSync(options.credentials, { recursive: true, force: true });
  return exitCode;
}

try {
  process.exit(await main());
} catch (error) {
  console.error(`moestro agent: ${(error as Error).message}`);
  process.exit(2);
}
