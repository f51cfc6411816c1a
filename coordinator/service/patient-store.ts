import { setTimeout as sleep } from "node:timers/promises";
import { MoestroError } from "../errors.ts";
import type { Store } from "../store/store.ts";

const RETRY_MS = 500;

/**
 * The store as a leader writes to it: what the store is too far away to take is written
 * again until it is taken, or refused because somebody else leads. A slow answer must not
 * end a run.
 */
export function patientStore(store: Store, isOver: () => boolean): Store {
  const patiently = async <T>(write: () => Promise<T>): Promise<T> => {
    for (;;) {
      try {
        return await write();
      } catch (error) {
        const isAway = error instanceof MoestroError && error.code === "environment";
        if (!isAway || isOver()) throw error;
        await sleep(RETRY_MS);
      }
    }
  };
  return new Proxy(store, {
    get(target, name: keyof Store) {
      if (name === "setLife" || name === "nextGeneration") {
        const write = target[name] as (...args: unknown[]) => Promise<unknown>;
        return (...args: unknown[]) => patiently(() => write.apply(target, args));
      }
      const value = target[name];
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
