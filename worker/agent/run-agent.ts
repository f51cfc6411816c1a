import { rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { MoestroError } from "../../coordinator/errors.ts";
import type { Credentials } from "../../coordinator/rpc/credentials-file.ts";
import { Agent } from "./agent.ts";
import {
  credentialsPath,
  type ObtainOptions,
  obtainCredentials,
  rejoiningBy,
} from "./credentials.ts";
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
  const { credentials: directory, ownCredentials, exitWithParent } = options;
  const note = (line: string) => console.error(`moestro agent ${options.agentId}: ${line}`);
  const ends = asksToEnd(exitWithParent);
  const obtaining = obtainingBy(options);
  const { coordinators, tokenFiles } = obtaining;
  const joined = await Promise.race([join(obtaining, note), ends.first]);
  if (typeof joined === "string") {
    note(joined);
    if (ownCredentials) rmSync(directory, { recursive: true, force: true });
    return SIGNALLED;
  }
  let current = joined;
  // Keys made for this process alone need not lie about any longer.
  if (ownCredentials) rmSync(credentialsPath(directory));
  const renewed = (next: Credentials) => {
    current = next;
  };
  const rejoining = tokenFiles && rejoiningBy(tokenFiles, obtaining);
  const renewal = ownCredentials
    ? undefined
    : renewWhenDue({
        ...{ coordinators, credentials: current, directory, rejoining },
        ...{ renewed, failed: note },
      });
  // Beside everything else: there may be many.
  void sweepPrivateFolders(scratchOf(options));
  const agent = await Agent.start(options, () => current);
  // What a command started goes when that says so: it has nowhere else.
  ends.heard((why, isParentGone) => {
    if (isParentGone) return void agent.leave(why);
    void (exitWithParent ? agent.leave(why, SIGNALLED) : agent.leaveInOrder(why, SIGNALLED));
  });
  const exitCode = await agent.done;
  renewal?.stop();
  if (ownCredentials) rmSync(directory, { recursive: true, force: true });
  return exitCode;
}

type Heard = (why: string, isParentGone: boolean) => void;

/**
 * Hears from the first moment on that the process is to end: the first process of a container
 * that does not listen for SIGTERM is not ended by it.
 */
function asksToEnd(exitWithParent: boolean): { first: Promise<string>; heard(by: Heard): void } {
  const { promise: first, resolve } = Promise.withResolvers<string>();
  const early: Parameters<Heard>[] = [];
  let hear: Heard = (...asked) => early.push(asked);
  const ask: Heard = (why, isParentGone) => {
    resolve(why);
    hear(why, isParentGone);
  };
  process.on("SIGTERM", () => ask("asked to end (SIGTERM)", false));
  // Ctrl-C in a terminal reaches every process in the foreground; for an agent that a
  // command started, stopping is that command's to decide.
  process.on("SIGINT", exitWithParent ? () => {} : () => ask("asked to end (SIGINT)", false));
  if (exitWithParent) {
    process.stdin.on("end", () => ask("the process that started this agent is gone", true));
    process.stdin.on("error", () => {});
    process.stdin.resume();
  }
  return {
    first,
    heard(by) {
      hear = by;
      for (const asked of early) by(...asked);
    },
  };
}

function obtainingBy(options: AgentOptions): ObtainOptions {
  const { coordinators, joinAddresses, token, tokenFiles, agentId } = options;
  return {
    ...{ coordinators, token, tokenFiles, agentId, directory: options.credentials },
    ...(joinAddresses.length > 0 ? { joinAddresses } : {}),
  };
}

/** The certificate, waiting for a coordinator if it takes one to get it. */
async function join(obtaining: ObtainOptions, note: (line: string) => void): Promise<Credentials> {
  const canJoin = obtaining.token !== undefined || obtaining.tokenFiles !== undefined;
  let noted = "";
  for (;;) {
    try {
      return await obtainCredentials(obtaining);
    } catch (error) {
      if (!canJoin || !(error instanceof MoestroError)) throw error;
      // A pod that ended for it would be made again, or its job fail: it waits to be understood.
      if (error.code !== "environment" && obtaining.tokenFiles === undefined) throw error;
      const line = error.lines.join("; ");
      if (line !== noted) note(`${line}; trying on`);
      noted = line;
      await sleep(JOIN_RETRY_MS);
    }
  }
}
