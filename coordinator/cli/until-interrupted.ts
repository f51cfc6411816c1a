import { INTERRUPTED } from "./exit-codes.ts";

/**
 * Does what may last until somebody has seen enough: `signal` aborts on Ctrl-C, when
 * the reader of standard output goes away as `head` does, and when the launcher ends.
 * Returns the exit code: that of `work`, or 130 after Ctrl-C, or 0.
 */
export async function untilInterrupted(
  work: (signal: AbortSignal) => Promise<number>,
): Promise<number> {
  const enough = new AbortController();
  let exitCode: number | undefined;
  const leave = (code: number) => () => {
    exitCode ??= code;
    enough.abort();
  };
  const interrupted = leave(INTERRUPTED);
  const unheard = leave(0);
  process.on("SIGINT", interrupted);
  process.on("disconnect", unheard);
  process.stdout.on("error", unheard);
  try {
    const code = await work(enough.signal);
    return exitCode ?? code;
  } finally {
    process.off("SIGINT", interrupted);
    process.off("disconnect", unheard);
    process.stdout.off("error", unheard);
  }
}
