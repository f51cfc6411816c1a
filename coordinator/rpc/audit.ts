import { closeSync, openSync, writeSync } from "node:fs";
import { MoestroError } from "../errors.ts";

/** One call that changes something, carried out or refused. */
export type AuditEntry = {
  /** The name on the caller's certificate; "nobody" without one. */
  caller: string;
  role: string;
  /** Address and port the call came from. */
  from: string;
  /** "RunService/StopRun". */
  rpc: string;
  /** What it was about. */
  target: string;
  /** "OK", or the status and its details. */
  outcome: string;
  details: string;
};

export interface AuditLog {
  write(entry: AuditEntry): void;
  close(): void;
}

/**
 * Appends to a file that only its owner can read, one line of JSON a call. A line that
 * cannot be written ends nothing; `failed` is told the first time in a row.
 */
export function openAuditLog(
  path: string,
  options: { now(): Date; failed(why: string): void },
): AuditLog {
  const file = open(path);
  let isFailing = false;
  return {
    write(entry) {
      const line = `${JSON.stringify({ at: options.now().toISOString(), ...entry })}\n`;
      try {
        // One write, so that lines of several processes never mix.
        writeSync(file, line);
        isFailing = false;
      } catch (error) {
        if (!isFailing) {
          options.failed(
            `${path}: cannot be written: ${(error as Error).message}; calls go on without an audit line until there is space`,
          );
        }
        isFailing = true;
      }
    },
    close: () => closeSync(file),
  };
}

function open(path: string): number {
  try {
    return openSync(path, "a", 0o600);
  } catch (error) {
    throw new MoestroError(
      "environment",
      `${path}: cannot be opened: ${(error as Error).message}; change permissions or choose another state directory`,
    );
  }
}
