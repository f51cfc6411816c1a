import { rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { MoestroError } from "../../coordinator/errors.ts";
import type { Credentials } from "../../coordinator/rpc/credentials-file.ts";
import { Agent } from "./agent.ts";
import { credentialsPath, obtainCredentials } from "./credentials.ts";
import { scratchOf } from "./node.ts";
import type { AgentOptions } from "./options.ts";
import { sweepPrivateFolders } from "./private-folder.ts";
import { renewWhenDue } from "./renewal.ts";

/** Between two attempts to join while no coordinator is there. */
const JOIN_RETRY_MS = 2000;
/** The exit code of what a person or a supervisor ended. */
const SIGNALLED = 130;

/** Runs an agent until it has nothing left to do; returns the process's exit code. */
export async function runAgent(options: AgentOptions): Promise<number> {
  const { credentials: directory, coordinators, ownCredentials, exitWithParent } = options;
  const note = (line: string) => console.error(`moestro agent ${options.agentId}: ${line}`);
  // Ctrl-C in a terminal reaches every process in the foreground; for an agent that a
  // command started, stopping is that command's to decide.
  if (exitWithParent) process.on("SIGINT", () => {});
  let current = await join(options, note);
  // Keys made for this process alone need not lie about any longer.
  if (ownCredentials) rmSync(credentialsPath(directory));
  const renewed = (next: Credentials) => {
    current = next;
  };
  const renewal = ownCredentials
    ? undefined
    : renewWhenDue({ coordinators, credentials: current, directory, renewed, failed: note });
  // Beside everything else: there may be many.
  void sweepPrivateFolders(scratchOf(options));
  const agent = await Agent.start(options, () => current);
  process.on("SIGTERM", () => void agent.leave("asked to end (SIGTERM)", SIGNALLED));
  if (exitWithParent) {
    process.stdin.on("end", () => void agent.leave("the process that started this agent is gone"));
    process.stdin.on("error", () => {});
    process.stdin.resume();
  } else process.on("SIGINT", () => void agent.leave("asked to end (SIGINT)", SIGNALLED));
  const exitCode = await agent.done;
  renewal?.stop();
  if (ownCredentials) rmSync(directory, { recursive: true, force: true });
  return exitCode;
}

/** The certificate, waiting for a coordinator if it takes one to get it. */
async function join(options: AgentOptions, note: (line: string) => void): Promise<Credentials> {
  const { coordinators, joinAddresses, token, agentId, credentials: directory } = options;
  let noted = "";
  for (;;) {
    try {
      return await obtainCredentials({
        ...{ coordinators, token, agentId, directory },
        ...(joinAddresses.length > 0 ? { joinAddresses } : {}),
      });
    } catch (error) {
      const mayComeYet = error instanceof MoestroError && error.code === "environment";
      if (token === undefined || !mayComeYet) throw error;
      const line = error.lines.join("; ");
      if (line !== noted) note(`${line}; trying on`);
      noted = line;
      await sleep(JOIN_RETRY_MS);
    }
  }
}
