import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Holder } from "./store.ts";

/** This process as a holder. */
export function currentHolder(): Holder {
  return { pid: process.pid, startedAt: startTime(process.pid) ?? "unknown" };
}

/** A living process as a holder; undefined if there is none with this pid. */
export function holderOf(pid: number): Holder | undefined {
  const startedAt = pid > 0 ? startTime(pid) : undefined;
  return startedAt === undefined ? undefined : { pid, startedAt };
}

/** Whether the very process still lives, not merely one with its pid. */
export function isAlive(holder: Holder): boolean {
  return startTime(holder.pid) === holder.startedAt;
}

/** When a process started, in a form that only compares; undefined if there is none. */
function startTime(pid: number): string | undefined {
  return process.platform === "linux" ? fromProc(pid) : fromPs(pid);
}

function fromProc(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command's name, in parentheses, may hold spaces; fields count from behind it.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state] = fields;
    return state === "Z" || state === "X" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function fromPs(pid: number): string | undefined {
  try {
    return execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return undefined;
  }
}
