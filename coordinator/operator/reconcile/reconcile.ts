import type { Action } from "./actions.ts";
import { isAgents } from "./agents.ts";
import type { Observation, ObservedJob } from "./observation.ts";
import { msToLive, planChildren } from "./plan-children.ts";
import { planStatus } from "./plan-status.ts";
import { standingOf } from "./standing.ts";
import { wishesFor } from "./wishes-for.ts";

/** What is to be done for a job, in order, and when to look again if nothing happens before. */
export interface Look {
  actions: Action[];
  lookAgainMs?: number;
}

/**
 * One look at a job: observe → plan → children → status once. Pure; it holds no memory, so that
 * it may be repeated, interrupted or done by another at any time. A job that is as it should be
 * gets no actions.
 */
export function reconcile(seen: Observation): Look {
  // 1. Another's job is left alone, and so is one that goes: garbage collection ends its children.
  if (isLeftAlone(seen.job)) return { actions: [] };
  // 2. How it stands, by what is there.
  const standing = standingOf(seen);
  // 3. The run is wished first: it lets its nodes go before they are taken.
  const run = wishesFor(seen, standing);
  // 4. Children.
  const children = planChildren(seen, standing);
  // 5. What is true of it, in one write, before the wishes have come true. Where pods are only
  // just asked for, that their job is seen brings another look at once, which has more to say.
  const isFirst = children.some(isBirth) && seen.refusals.length === 0;
  const status = isFirst ? { actions: [] } : planStatus(seen, standing);
  const waits = [status.lookAgainMs, msToLive(seen, standing)].filter(
    (waitMs) => waitMs !== undefined && waitMs > 0,
  ) as number[];
  return {
    actions: [...run, ...children, ...status.actions],
    ...(waits.length === 0 ? {} : { lookAgainMs: Math.min(...waits) }),
  };
}

/** Whether it makes the pods' job. */
export function isBirth(action: Action): boolean {
  return (
    action.kind === "applyChild" && isAgents(action.child) && action.resourceVersion === undefined
  );
}

/** Who carries a job out if nobody is named, or this name is. */
export const CONTROLLER = "moestro.dev/operator";

export function isLeftAlone({ metadata, spec: { managedBy } }: ObservedJob): boolean {
  const isOthers = managedBy !== undefined && managedBy !== CONTROLLER;
  return isOthers || metadata.deletionTimestamp !== undefined;
}
