/**
 * Calls `stop` when a person or the system asks this process to end: Ctrl-C asks
 * for a checkpoint first, and at once when pressed again. Signals of the system
 * may come several times for one cause (to the group, passed on by the launcher,
 * and as the launcher's end), so they never ask for more than a checkpoint.
 */
export function stopOnSignals(stop: (checkpoint: boolean) => void) {
  let interrupts = 0;
  let asked = false;
  const interrupt = () => {
    interrupts += 1;
    asked = true;
    stop(interrupts === 1);
  };
  const end = () => {
    asked = true;
    stop(true);
  };
  process.on("SIGINT", interrupt);
  // The launcher holds the other end of a channel; "disconnect" is its end.
  const endings = ["SIGTERM", "SIGHUP", "disconnect"] as const;
  for (const ending of endings) process.on(ending, end);
  return {
    get asked(): boolean {
      return asked;
    },
    release(): void {
      process.off("SIGINT", interrupt);
      for (const ending of endings) process.off(ending, end);
    },
  };
}
