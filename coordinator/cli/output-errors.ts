import { EXIT_CODES } from "../errors.ts";

/**
 * A reader that goes away, as `head` does, is no fault: what is left is dropped in
 * silence. Any other failure, such as a full disk, is told in one line. Neither ends
 * the command, which may be a run that goes on.
 */
export function watchOutputs(): void {
  process.stdout.on("error", ({ code, message }: NodeJS.ErrnoException) => {
    if (code === "EPIPE") return;
    if (process.exitCode !== EXIT_CODES.environment) {
      console.error(`standard output: ${message}; free space, or write elsewhere`);
    }
    process.exitCode = EXIT_CODES.environment;
  });
  // There is nowhere left to tell of it.
  process.stderr.on("error", () => {});
}
