import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { type Cell, type Context, NUM_RANKS, recovered } from "../cell.ts";

const STUTTER_MS = 15_000;
const ONE_RESTART = { kind: "strict", restarts: 1, counted: 1 } as const;

/** A rank is sent a signal that ends it. */
function signalled(name: string, signal: "SIGKILL" | "SIGSEGV"): Cell {
  return {
    ...{ name, ...ONE_RESTART },
    strike: async ({ run, random }) => {
      const rank = random.whole(0, NUM_RANKS - 1);
      const after = run.events.length;
      process.kill(run.pid(rank), signal);
      await recovered(run, after, new RegExp(`^rank ${rank} was ended by ${signal}\\b`));
    },
  };
}

/** The engine of a rank does something wrong; `reason` has the rank for R. */
function inside(name: string, fault: string, reason: string): Cell {
  return {
    ...{ name, ...ONE_RESTART },
    strike: async ({ run, random }) => {
      const rank = random.whole(0, NUM_RANKS - 1);
      const after = run.events.length;
      run.injectFault(rank, fault);
      await recovered(run, after, new RegExp(reason.replace("R", String(rank))));
    },
  };
}

/** Ranks stand still: their stacks are taken before they are ended. */
async function hang(
  { run, random }: Context,
  stop: (rank: number) => void,
  stack: RegExp,
): Promise<void> {
  const rank = random.whole(0, NUM_RANKS - 1);
  const after = run.events.length;
  stop(rank);
  await recovered(run, after, /^the ranks hung: no step for \d+ s/);
  const events = run.events.slice(after);
  const failing = events.findIndex(({ event }) => event === "run.failing");
  const stacks = events.slice(0, failing).filter(({ event }) => event === "rank.stack");
  assert.deepEqual(
    stacks.map((one) => Number(one.rank)).sort((a, b) => a - b),
    Array.from({ length: NUM_RANKS }, (_, index) => index),
  );
  assert.match(String(stacks.find((one) => one.rank === rank)?.lines), stack);
}

const secondFault: Cell = {
  ...{ name: "second-fault", kind: "strict", restarts: 2, counted: 2 },
  strike: async ({ run, random }) => {
    const after = run.events.length;
    process.kill(run.pid(random.whole(0, NUM_RANKS - 1)), "SIGKILL");
    await run.event("run.recovering", after);
    const rank = random.whole(0, NUM_RANKS - 1);
    // Of the new generation: it may have started before this is asked.
    await run.event("rank.started", after, (one) => one.rank === rank);
    await sleep(random.whole(0, 500));
    const since = run.events.length;
    process.kill(run.pid(rank), "SIGKILL");
    await recovered(run, since, new RegExp(`^rank ${rank} was ended by SIGKILL`));
  },
};

/** A third of the speed is no reason to end anybody. */
const stutters: Cell = {
  ...{ name: "rank-stutters", kind: "free", restarts: 0, counted: 0 },
  strike: async ({ run, random }) => {
    const pid = run.pid(random.whole(0, NUM_RANKS - 1));
    for (const start = performance.now(); performance.now() - start < STUTTER_MS; ) {
      process.kill(pid, "SIGSTOP");
      await sleep(10);
      process.kill(pid, "SIGCONT");
      await sleep(5);
    }
  },
};

/** One that computes slowly is told, and left alone. */
const slow: Cell = {
  ...{ name: "rank-slow", kind: "free", restarts: 0, counted: 0 },
  strike: async ({ run, random }) => {
    const rank = random.whole(0, NUM_RANKS - 1);
    const after = run.events.length;
    run.injectFault(rank, "slow");
    await run.event("rank.slow", after, (one) => one.rank === rank && one.isSlow === true);
  },
};

const outOfMemory: Cell = {
  ...{ name: "rank-out-of-memory", kind: "strict", restarts: 0, counted: 0 },
  fails: /^rank \d, stage \d: out of memory, .* lower training\.microBatchSize/,
  strike: async ({ run, random }) =>
    run.injectFault(random.whole(0, NUM_RANKS - 1), "out-of-memory"),
};

export const rankCells: readonly Cell[] = [
  signalled("rank-sigkill", "SIGKILL"),
  signalled("rank-sigsegv", "SIGSEGV"),
  inside("rank-exit-0", "exit", "^rank R ended with exit code 0"),
  inside("rank-exception", "exception", "^rank R ended with exit code 1: RuntimeError: a bug"),
  inside("rank-nan", "nan", "step \\d+: the loss or its gradient is not finite"),
  {
    ...{ name: "rank-sigstop", ...ONE_RESTART },
    strike: (context) =>
      hang(context, (rank) => process.kill(context.run.pid(rank), "SIGSTOP"), /T \(stopped\)/),
  },
  {
    ...{ name: "rank-holds-gil", ...ONE_RESTART },
    strike: (context) =>
      hang(context, (rank) => context.run.injectFault(rank, "hold-gil"), /File ".*threading\.py"/),
  },
  outOfMemory,
  stutters,
  slow,
  secondFault,
];
