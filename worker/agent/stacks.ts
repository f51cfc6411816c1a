import { readFileSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { readEnd } from "./log-tail.ts";
import type { RankHandle } from "./rank-process.ts";

/** A process that can write its stacks has done so by then. */
const STACKS_MS = 500;

/**
 * The stacks of all threads of a rank, which its process writes into its log when it is
 * asked to, whoever holds the GIL. One line that says why, where it gives none.
 */
export async function stacksOf(one: RankHandle): Promise<string[]> {
  if (!one.isRunning) return ["the process has ended"];
  if (one.pid === undefined) return ["the process is not started yet"];
  // Before it has connected, the signal would end it.
  if (!one.link.isConnected) return [`the process is still starting (${stateOf(one.pid)})`];
  const before = statSync(one.logPath, { throwIfNoEntry: false })?.size ?? 0;
  one.signal("SIGUSR1");
  await sleep(STACKS_MS);
  const text = readEnd(one.logPath, before).trimEnd();
  if (text !== "") return text.split("\n");
  return [`no stacks within ${STACKS_MS} ms; the process's state is ${stateOf(one.pid)}`];
}

/** A process's state as the kernel names it, "T (stopped)". */
function stateOf(pid: number | undefined): string {
  try {
    const line = /^State:\s*(.+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return line?.[1] ?? "unknown";
  } catch {
    return "unknown";
  }
}
