// Time of one scheduling pass over a long queue on a large cluster: what a passing look
// costs when nothing can start, when slots came free, when much has to be preempted, and
// when an empty cluster is filled.
//
//   npm run bench:schedule -- [--queued 10000] [--agents 1000] [--passes 20]
import { parseArgs } from "node:util";
import { table } from "../../coordinator/planner/text-table.ts";
import { schedule } from "../../coordinator/queue/schedule.ts";
import type {
  PlacedRun,
  SchedulableAgent,
  SchedulingState,
  WaitingRun,
} from "../../coordinator/queue/scheduling.ts";
import { median } from "./jobs.ts";

const SLOTS_OF_AGENT = 8;
const OWNERS = 50;
/** A day in the middle of which the pass is. */
const NOW = 43_200_000;
/** The bound for 10,000 queued runs. */
const TARGET_MS = 100;

const { values } = parseArgs({
  options: {
    queued: { type: "string", default: "10000" },
    agents: { type: "string", default: "1000" },
    passes: { type: "string", default: "20" },
  },
});
const numQueued = Number(values.queued);
const numAgents = Number(values.agents);

/** Numbers from 0 to below 1 that look random and repeat (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const random = randomNumbers(1);
const whole = (count: number) => Math.floor(random() * count);
const powerOfTwo = (most: number) => 2 ** whole(Math.log2(most) + 1);

const agents = Array.from({ length: numAgents }, (_, index): SchedulableAgent => {
  const accelerator = index % 4 === 0 ? "NVIDIA A100" : "NVIDIA H200";
  const agentId = `node-${index}`;
  return {
    agentId,
    numSlots: SLOTS_OF_AGENT,
    isDrained: false,
    state: "connected",
    accelerator,
  };
});

function queue(least: number, priorities: number): WaitingRun[] {
  return Array.from({ length: numQueued }, (_, index) => {
    const largest = least * powerOfTwo(64);
    const counts = [4, 2, 1].map((part) => largest / part).filter((count) => count >= 1);
    return {
      runId: `queued-${index}`,
      owner: `owner-${whole(OWNERS)}`,
      priority: whole(priorities),
      submittedAtMs: whole(NOW),
      queuedSinceMs: NOW - whole(NOW / 20),
      sizes: counts
        .reverse()
        .map((numRanks) => ({ numRanks, tensorParallel: Math.min(2, numRanks) })),
      isRecovering: index % 1000 === 0,
      previous: [],
    };
  });
}

/** Runs of one agent each, on that share of the agents. */
function running(share: number, priorities: number): PlacedRun[] {
  return agents.slice(0, share * numAgents).map(({ agentId }, index) => ({
    runId: `running-${index}`,
    owner: `owner-${whole(OWNERS)}`,
    priority: whole(priorities),
    startedAtMs: whole(NOW),
    placed: [{ agentId, slots: Array.from({ length: SLOTS_OF_AGENT }, (_, slot) => slot) }],
    sizes: [],
    isLeaving: index % 100 === 0,
  }));
}

const total = 0.9 * numAgents * SLOTS_OF_AGENT;
const byOwner = new Map(
  Array.from({ length: OWNERS / 2 }, (_, index) => [`owner-${index}`, Math.ceil(total / 20)]),
);

const CASES: { name: string; state: SchedulingState }[] = [
  {
    name: "all in use",
    state: {
      agents,
      waiting: queue(1, 1),
      placed: running(1, 1),
      quotas: { byOwner, total: undefined },
    },
  },
  {
    name: "a tenth is free",
    state: {
      agents,
      waiting: queue(1, 3),
      placed: running(0.9, 1),
      quotas: { byOwner, total: undefined },
    },
  },
  {
    name: "ten priorities in the queue and running",
    state: { agents, waiting: queue(8, 10), placed: running(1, 10), quotas: { byOwner, total } },
  },
  {
    name: "all is free",
    state: {
      agents,
      waiting: queue(1, 3),
      placed: [],
      quotas: { byOwner: new Map(), total: undefined },
    },
  },
];

const rows = [["case", "started", "preempted", "first", "median", "longest"]];
for (const { name, state } of CASES) {
  const times: number[] = [];
  const counts = new Map<string, number>();
  for (let pass = 0; pass < Number(values.passes); pass++) {
    const begin = performance.now();
    const actions = schedule(NOW, state);
    times.push(performance.now() - begin);
    counts.clear();
    for (const { kind } of actions) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  const [first = Number.NaN] = times;
  rows.push([
    name,
    String(counts.get("start") ?? 0),
    String(counts.get("preempt") ?? 0),
    ...[first, median(times), Math.max(...times)].map((ms) => `${ms.toFixed(1)} ms`),
  ]);
}
console.log(table(rows).join("\n"));
console.log(
  `${numQueued} queued runs, ${numAgents} agents of ${SLOTS_OF_AGENT} slots; target for 10000: at most ${TARGET_MS} ms a pass`,
);
