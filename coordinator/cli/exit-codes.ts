import { RunState, type RunStatus } from "../../proto/gen/moestro/v1/run_pb.js";
import { EXIT_CODES } from "../errors.ts";

/** The conventional exit code of a process that Ctrl-C or a signal ended. */
export const INTERRUPTED = 130;

/** What a person reads of exit codes below `moestro --help`. */
export const EXIT_CODE_HELP = `
Exit codes:
  0    done
  ${EXIT_CODES.run_failed}    the run failed (train, and commands with --watch), or cannot do what was asked;
       of k8s diff: something would change
  ${EXIT_CODES.invalid_input}    a mistake in what was given, or no such run, agent or token
  ${EXIT_CODES.no_plan}    nothing legal fits what was asked
  ${EXIT_CODES.environment}    the machine lacks something, or no coordinator could be reached
  ${EXIT_CODES.in_use}    in use by somebody else
  ${EXIT_CODES.stuck}    the run was given up: starting it again got nowhere
  ${INTERRUPTED}  stopped by Ctrl-C or a signal`;

/** What a command that watched a run to its end exits with. */
export function exitCodeOf({ state, exitCode }: Pick<RunStatus, "state" | "exitCode">): number {
  if (state !== RunState.FAILED) return 0;
  // A coordinator of an older version does not tell.
  return exitCode || EXIT_CODES.run_failed;
}
