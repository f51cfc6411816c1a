/**
 * The one error class a person ever sees. A command prints its lines, without a
 * stack, and exits with its code.
 */
export type ErrorCode =
  /** What the user gave is wrong: job file, flags, data. */
  | "invalid_input"
  /** Nothing legal fits what was asked. */
  | "no_plan"
  /** The machine lacks something: Python, torch, disk, a port. */
  | "environment"
  /** Somebody else is using it. */
  | "in_use"
  /** There is no such run, agent or token. */
  | "not_found"
  /** A run ended without reaching its goal. */
  | "run_failed"
  /** A run was given up because starting it again got nowhere. */
  | "stuck";

export const EXIT_CODES: Record<ErrorCode, number> = {
  run_failed: 1,
  invalid_input: 2,
  no_plan: 3,
  environment: 4,
  in_use: 5,
  not_found: 2,
  stuck: 6,
};

export class MoestroError extends Error {
  readonly code: ErrorCode;
  /** One line an error: where, what, rule, remedy. */
  readonly lines: readonly string[];

  constructor(code: ErrorCode, lines: string | readonly string[]) {
    const list = typeof lines === "string" ? [lines] : lines;
    super(list.join("\n"));
    this.name = "MoestroError";
    this.code = code;
    this.lines = list;
  }

  get exitCode(): number {
    return EXIT_CODES[this.code];
  }
}
