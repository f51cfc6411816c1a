import type { Held, Store } from "../store/store.ts";

const HOUR_MS = 60 * 60 * 1000;

export type RetentionOptions = {
  store: Pick<Store, "dropEnded">;
  held: Held;
  /** How many runs that are over the store keeps, the last to end. */
  keepEnded: number;
  /** Told how many were dropped, if any were. */
  dropped(numRuns: number): void;
  everyMs?: number;
};

/**
 * Has the store forget older runs that are over, now and then, while this coordinator
 * leads; their folders stay. Returns what ends that.
 */
export function keepEndedRuns(options: RetentionOptions): () => void {
  const { store, held, keepEnded, dropped, everyMs = HOUR_MS } = options;
  const drop = () => {
    store.dropEnded(keepEnded, held).then(
      (numRuns) => {
        if (numRuns > 0) dropped(numRuns);
      },
      // The store is away, or another leads: there is a next time, or another one's.
      () => {},
    );
  };
  drop();
  const timer = setInterval(drop, everyMs).unref();
  return () => clearInterval(timer);
}
