import type { FailureCause } from "./policy.ts";

/** A generation that failed. */
export type Failure = {
  cause: FailureCause;
  /** One sentence. */
  reason: string;
  /** The step its ranks began behind, and the last they made. */
  fromStep: number;
  lastStep: number;
};

export type RecoveryState = {
  /** All failed generations so far, the newest last. */
  failures: readonly Failure[];
  /** Restarts so far that count against the limit. */
  countedRestarts: number;
};

export type RecoveryOptions = {
  /** Counted restarts before a run is given up. */
  maxRestarts: number;
  /** Generations in a row without progress before a run is given up. */
  maxWithoutProgress: number;
};

export const MAX_WITHOUT_PROGRESS = 3;

export type RecoveryDecision = {
  decision: "restart" | "give-up";
  /** One sentence, for status, events and logs. */
  reason: string;
  /** Whether the restart counts against the limit: the loss of a node does not. */
  counts: boolean;
  /** Given up because restarts get the run nowhere. */
  stuck?: boolean;
};

/**
 * Whether a run whose ranks failed is started again. Pure. Where it starts, on its own
 * slots, on spare ones or on fewer, follows from what is free; whether it does follows
 * from what failed. What the user must mend is not retried; what fails at the same place
 * again and again is not retried for ever.
 */
export function decideRecovery(
  { failures, countedRestarts }: RecoveryState,
  options: RecoveryOptions,
): RecoveryDecision {
  const failure = failures.at(-1);
  if (!failure) throw new Error("there is nothing to recover from");
  const { cause, reason } = failure;
  const giveUp = (why: string): RecoveryDecision => ({
    ...{ decision: "give-up", reason: why, counts: false },
  });
  if (cause === "user") return giveUp(reason);
  const standing = numWithoutProgress(failures);
  if (standing >= options.maxWithoutProgress) {
    const why = `no progress in ${standing} starts, each ended by step ${failure.lastStep + 1}: ${reason}`;
    return { ...giveUp(why), stuck: true };
  }
  const counts = cause !== "agent";
  if (counts && countedRestarts >= options.maxRestarts) {
    const limit = `${options.maxRestarts} ${options.maxRestarts === 1 ? "restart" : "restarts"}`;
    return giveUp(options.maxRestarts === 0 ? reason : `${reason}; ${limit} did not help`);
  }
  const number = counts
    ? `restart ${countedRestarts + 1} of at most ${options.maxRestarts}`
    : "a restart that does not count";
  return { decision: "restart", reason: `${reason}; ${number}`, counts };
}

/**
 * How many generations at the end got no further than those before them had been. One
 * that made a step no other had made is progress, and so is one that began further on.
 */
function numWithoutProgress(failures: readonly Failure[]): number {
  let furthest = -1;
  let from = -1;
  let count = 0;
  for (const { lastStep, fromStep } of failures) {
    const hasProgressed = lastStep > furthest || fromStep > from;
    count = hasProgressed && lastStep > fromStep ? 1 : count + 1;
    furthest = Math.max(furthest, lastStep);
    from = Math.max(from, fromStep);
  }
  return count;
}
