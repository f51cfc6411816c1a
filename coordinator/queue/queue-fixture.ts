import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { LegalSize } from "../run/legal-sizes.ts";
import type { Placed } from "../store/store.ts";
import { schedule } from "./schedule.ts";
import type {
  Action,
  PlacedRun,
  Quotas,
  SchedulableAgent,
  SchedulingState,
  WaitingRun,
} from "./scheduling.ts";

/** The time of the fixtures. */
export const NOW = 3_600_000;
export const MINUTE = 60_000;

export function sizesOf(counts: readonly number[]): LegalSize[] {
  return counts.map((numRanks) => ({ numRanks, tensorParallel: 1 }));
}

/** A run of alice's that waits for a minute, for tests, with some of it changed. */
export function waitingRun(
  runId: string,
  sizes: readonly number[],
  changes: Partial<WaitingRun> = {},
): WaitingRun {
  return {
    ...{ runId, owner: "alice", priority: 0, submittedAtMs: NOW - MINUTE },
    ...{ queuedSinceMs: NOW - MINUTE, isRecovering: false, previous: [], ...changes },
    sizes: sizesOf(sizes),
  };
}

/** A run of bob's that cannot grow. */
export function placedRun(
  runId: string,
  placed: readonly Placed[],
  changes: Partial<PlacedRun> = {},
): PlacedRun {
  const usual = { owner: "bob", priority: 0, startedAtMs: 0, sizes: [], isLeaving: false };
  return { runId, ...usual, placed, ...changes };
}

/** A connected agent with four processor slots. */
export function agentWith(
  agentId: string,
  changes: Partial<SchedulableAgent> = {},
): SchedulableAgent {
  return {
    ...{ agentId, numSlots: 4, isDrained: false },
    ...{ state: "connected", accelerator: "", ...changes },
  };
}

/** Slots of an agent; all four without a list. */
export function on(agentId: string, slots: readonly number[] = [0, 1, 2, 3]): Placed {
  return { agentId, slots };
}

export function quota(byOwner: readonly [string, number][], total?: number): Quotas {
  return { byOwner: new Map(byOwner), total };
}

/** A state, what is decided about it in words, and the last reason. Agents a and b by default. */
export type Case = [
  sentence: string,
  state: Partial<SchedulingState>,
  actions: string[],
  reason?: RegExp,
];

/** One test for each case. */
export function checkCases(title: string, cases: readonly Case[]): void {
  describe(title, () => {
    for (const [sentence, state, actions, reason] of cases) {
      it(sentence, () => {
        const agents = [agentWith("a"), agentWith("b")];
        const usual = { waiting: [], placed: [], agents, quotas: quota([]) };
        const decided = schedule(NOW, { ...usual, ...state });
        assert.deepEqual(decided.map(inWords), actions, JSON.stringify(decided, undefined, 1));
        if (reason) assert.match(decided.at(-1)?.reason ?? "", reason);
      });
    }
  });
}

/** "start x 4: a0123". */
function inWords(action: Action): string {
  if (action.kind === "wait") return `wait ${action.runId}`;
  if (action.kind === "preempt") return `preempt ${action.runId} for ${action.for}`;
  const where = action.placed.map(({ agentId, slots }) => `${agentId}${slots.join("")}`);
  return `${action.kind} ${action.runId} ${action.size}: ${where.join(" ")}`;
}
