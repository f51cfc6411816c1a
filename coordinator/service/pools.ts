import { schedule } from "../queue/schedule.ts";
import type {
  Action,
  PlacedRun,
  Quotas,
  SchedulableAgent,
  SchedulingOptions,
  WaitingRun,
} from "../queue/scheduling.ts";
import { numberOf } from "../queue/wording.ts";

/** The pool of all runs and agents that belong to no pool of their own. */
export const COMMON_POOL = "";
/** Whoever brings a run's agents has decided how many there may be. */
const NO_QUOTAS: Quotas = { byOwner: new Map(), total: undefined };

/** Agents of one run come together: one that may have fewer waits as long as some came lately. */
const GATHERING_MS = 5000;

export type Pooled<Thing> = Thing & {
  /** The run that has these agents for itself, or COMMON_POOL. */
  pool: string;
};

export type PooledAgent = Pooled<SchedulableAgent> & {
  /** Milliseconds since it came. */
  hereMs: number;
};

/** What is to be decided by: runs get slots of their own pool alone. */
export type PooledState = {
  waiting: readonly Pooled<WaitingRun>[];
  placed: readonly Pooled<PlacedRun>[];
  agents: readonly PooledAgent[];
};

type Pool = { waiting: WaitingRun[]; placed: PlacedRun[]; agents: PooledAgent[] };

/** What `schedule` decides in each pool; quotas are for the common one. Pure. */
export function schedulePools(
  now: number,
  { waiting, placed, agents, quotas }: PooledState & { quotas: Quotas },
  options: SchedulingOptions,
): Action[] {
  const pools = new Map<string, Pool>();
  const poolOf = (name: string): Pool => {
    const pool = pools.get(name) ?? { waiting: [], placed: [], agents: [] };
    pools.set(name, pool);
    return pool;
  };
  for (const run of waiting) poolOf(run.pool).waiting.push(run);
  for (const run of placed) poolOf(run.pool).placed.push(run);
  // Those whose run is not there, or is over, have nothing to wait for.
  for (const agent of agents) pools.get(agent.pool)?.agents.push(agent);
  return [...pools].flatMap(([name, pool]) => {
    if (name === COMMON_POOL) return schedule(now, { ...pool, quotas }, options);
    return scheduleAlone(now, pool, options);
  });
}

function scheduleAlone(now: number, pool: Pool, options: SchedulingOptions): Action[] {
  const { agents } = pool;
  const held = pool.waiting.flatMap((run): Action[] => {
    const reason = gathering(run, agents);
    return reason === undefined ? [] : [{ kind: "wait", runId: run.runId, reason }];
  });
  const isHeld = (run: WaitingRun) => held.some(({ runId }) => runId === run.runId);
  const waiting = pool.waiting.filter((run) => !isHeld(run));
  const actions = schedule(now, { ...pool, waiting, quotas: NO_QUOTAS }, options);
  return [...held, ...actions].map((action) => {
    const run = pool.waiting.find(({ runId }) => runId === action.runId);
    const reason = action.kind === "wait" && run ? missingAgents(run, agents) : undefined;
    return reason === undefined ? action : { ...action, reason };
  });
}

/** Why a run does not start yet on what of its agents is there; undefined if it may. */
function gathering(run: WaitingRun, agents: readonly PooledAgent[]): string | undefined {
  const most = Math.max(...run.sizes.map(({ numRanks }) => numRanks));
  const numThere = numUsable(agents);
  const isComing = agents.some(({ hereMs }) => hereMs < GATHERING_MS);
  if (run.isRecovering || numThere >= most || !isComing) return undefined;
  return `waits for the rest of its agents: ${numThere} of ${numberOf(most, "slot")} are there`;
}

/** What a run with agents of its own waits for, if that is more of them. */
function missingAgents(
  { sizes }: WaitingRun,
  agents: readonly SchedulableAgent[],
): string | undefined {
  const least = Math.min(...sizes.map(({ numRanks }) => numRanks));
  const numThere = numUsable(agents);
  if (!Number.isFinite(least) || numThere >= least) return undefined;
  return `waits for its agents: ${numThere} of ${numberOf(least, "slot")} are there`;
}

function numUsable(agents: readonly SchedulableAgent[]): number {
  return agents
    .filter(({ state, isDrained }) => state === "connected" && !isDrained)
    .reduce((sum, { numSlots }) => sum + numSlots, 0);
}
