import type { Member } from "../fleet/fleet.ts";
import type { PlacedRun, WaitingRun } from "../queue/scheduling.ts";
import type { LegalSizes } from "../run/legal-sizes.ts";
import type { Placed, StoredRun } from "../store/store.ts";
import { COMMON_POOL, type Pooled, type PooledAgent, type PooledState } from "./pools.ts";
import type { QueuedRun } from "./queued-run.ts";
import type { SupervisedRun } from "./supervised-run.ts";

/** A run is not moved to more slots before it has trained this long on those it has. */
const SETTLED_MS = 10_000;

export type Situation = {
  queued: Iterable<QueuedRun>;
  supervised: readonly SupervisedRun[];
  members: readonly Member[];
  /** Agents that get no more ranks. */
  drained: ReadonlySet<string>;
};

/** What the scheduler decides by. */
export function schedulingState({ queued, supervised, members, drained }: Situation): PooledState {
  return {
    waiting: [...waitingRuns(queued, supervised)],
    placed: supervised.filter(({ recovering }) => !recovering).map(placedRun),
    agents: members.flatMap((member) => schedulableAgent(member, drained) ?? []),
  };
}

function* waitingRuns(
  queued: Iterable<QueuedRun>,
  supervised: readonly SupervisedRun[],
): Iterable<Pooled<WaitingRun>> {
  for (const run of supervised) {
    if (!run.recovering) continue;
    const { sinceMs } = run.recovering;
    yield waitingRun(run, { sinceMs, isRecovering: true, previous: run.supervisor.placed });
  }
  for (const run of queued) {
    if (run.stored.life.state !== "queued" || run.stored.wish.phase !== "run") continue;
    const { sinceMs, isOwed } = run;
    yield waitingRun(run, { sinceMs, isRecovering: isOwed, previous: [] });
  }
}

function waitingRun(
  { stored, sizes }: { stored: StoredRun; sizes: LegalSizes },
  how: { sinceMs: number; isRecovering: boolean; previous: readonly Placed[] },
): Pooled<WaitingRun> {
  const { runId, spec, wish } = stored;
  return {
    pool: poolOf(stored),
    ...{ runId, owner: spec.owner, priority: spec.priority, submittedAtMs: spec.submittedAtMs },
    ...{ isRecovering: how.isRecovering, previous: how.previous, queuedSinceMs: how.sinceMs },
    sizes: sizes.between(wish.minRanks, wish.maxRanks),
  };
}

function placedRun(run: SupervisedRun): Pooled<PlacedRun> {
  const { stored, placed, startedAtMs, isLeaving, sizes, supervisor } = run;
  const { spec, wish, runId } = stored;
  const isSettled = supervisor.runningMs > SETTLED_MS;
  return {
    ...{ runId, owner: spec.owner, priority: spec.priority, startedAtMs, placed, isLeaving },
    pool: poolOf(stored),
    sizes: isSettled && !isLeaving ? sizes.between(wish.minRanks, wish.maxRanks) : [],
  };
}

function poolOf({ runId, spec }: StoredRun): string {
  return spec.hasOwnAgents ? runId : COMMON_POOL;
}

function schedulableAgent(
  { agentId, hello, runId = COMMON_POOL, verdict, leaving, hereMs }: Member,
  drained: ReadonlySet<string>,
): PooledAgent | undefined {
  if (!hello) return undefined;
  return {
    pool: runId,
    ...{ agentId, hereMs, numSlots: hello.numSlots },
    state: verdict.verdict === "present" ? "connected" : verdict.verdict,
    isDrained: drained.has(agentId) || leaving !== undefined,
    accelerator: hello.inventory?.accelerators[0]?.name ?? "",
  };
}
