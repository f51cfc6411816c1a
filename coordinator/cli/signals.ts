/**
 * Calls `stop` when a person or the system asks this process to end: once to
 * checkpoint first, then to stop at once. Returns how to stop listening, and
 * tells whether anybody asked.
 */
export function stopOnSignals(stop: (checkpoint: boolean) => void) {
  let asked = 0;
  const ask = () => {
    asked += 1;
    stop(asked === 1);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, ask);
  // The launcher holds the other end of this channel; it breaks when it is killed.
  process.on("disconnect", ask);
  return {
    get asked(): boolean {
      return asked > 0;
    },
    release(): void {
      for (const signal of signals) process.off(signal, ask);
      process.off("disconnect", ask);
    },
  };
}
