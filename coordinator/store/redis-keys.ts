const DEFAULT_PREFIX = "moestro:";

/** The names of everything moestro keeps in Redis. */
export function redisKeys(prefix = DEFAULT_PREFIX) {
  return {
    lease: (name: string) => `${prefix}lease:${name}`,
    run: (runId: string) => `${prefix}run:${runId}`,
    status: (runId: string) => `${prefix}status:${runId}`,
    /** Ids of runs that are not over, by submission; of those that are, by their end. */
    active: `${prefix}active`,
    ended: `${prefix}ended`,
    sequence: `${prefix}sequence`,
    tokens: `${prefix}tokens`,
    drained: `${prefix}drained`,
    /** What BullMQ's keys begin with. */
    queue: `${prefix}queue`,
  };
}

export type RedisKeys = ReturnType<typeof redisKeys>;
