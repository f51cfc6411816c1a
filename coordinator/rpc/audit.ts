import { MoestroError } from "../errors.ts";
import { RotatingFile } from "./rotating-file.ts";

/** Some hundred thousand calls a file, millions in all. */
const MAX_BYTES = 64 * 1024 * 1024;
const NUM_KEPT = 10;

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
 * Appends to a file that only its owner can read, one line of JSON a call. Full, it becomes
 * `path.1`, that `path.2`, and so on to `path.10`, the last that is kept. A line that cannot
 * be written ends nothing; `failed` is told the first time in a row.
 */
export function openAuditLog(
  path: string,
  options: { now(): Date; failed(why: string): void; maxBytes?: number },
): AuditLog {
  let isFailing = false;
  let cannotRotate = false;
  const file = open(path, options.maxBytes ?? MAX_BYTES, (why) => {
    if (!cannotRotate) options.failed(`${path}: cannot be renamed: ${why}; it goes on growing`);
    cannotRotate = true;
  });
  return {
    write(entry) {
      const line = `${JSON.stringify({ at: options.now().toISOString(), ...entry })}\n`;
      try {
        file.append(line);
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
    close: () => file.close(),
  };
}

function open(path: string, maxBytes: number, failed: (why: string) => void): RotatingFile {
  try {
    return new RotatingFile(path, { maxBytes, numKept: NUM_KEPT, failed });
  } catch (error) {
    throw new MoestroError(
      "environment",
      `${path}: cannot be opened: ${(error as Error).message}; change permissions or choose another state directory`,
    );
  }
}
