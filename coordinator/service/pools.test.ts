import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { agentWith, NOW, on, placedRun, quota, waitingRun } from "../queue/queue-fixture.ts";
import { SCHEDULING_OPTIONS, schedule } from "../queue/schedule.ts";
import type { Action, SchedulableAgent } from "../queue/scheduling.ts";
import { type Pooled, type PooledAgent, type PooledState, schedulePools } from "./pools.ts";

const inPool = <Thing>(pool: string, thing: Thing): Pooled<Thing> => ({ pool, ...thing });
const agentIn = (pool: string, agent: SchedulableAgent, hereMs = 60_000): PooledAgent => ({
  ...{ pool, hereMs },
  ...agent,
});
const NOTHING: PooledState = { waiting: [], placed: [], agents: [] };

function decide(state: Partial<PooledState>, quotas = quota([])): Action[] {
  return schedulePools(NOW, { ...NOTHING, ...state, quotas }, SCHEDULING_OPTIONS);
}

/** "start r on a", "wait s". */
function inWords(action: Action): string {
  const where = "placed" in action ? ` on ${action.placed.map(({ agentId }) => agentId)}` : "";
  return `${action.kind} ${action.runId}${where}`;
}

test("a run with agents of its own starts on them, and others on those of everybody", () => {
  const actions = decide({
    waiting: [inPool("", waitingRun("any", [4])), inPool("own", waitingRun("own", [4]))],
    agents: [agentIn("own", agentWith("a")), agentIn("", agentWith("b"))],
  });
  assert.deepEqual(actions.map(inWords), ["start any on b", "start own on a"]);
});

test("agents of a run that is not there yet, or any more, take nobody's ranks", () => {
  const actions = decide({
    waiting: [inPool("", waitingRun("any", [4])), inPool("own", waitingRun("own", [4]))],
    agents: [agentIn("gone", agentWith("a")), agentIn("later", agentWith("b"))],
  });
  assert.deepEqual(actions.map(inWords), ["wait any", "wait own"]);
});

test("a run whose pods are on their way says how many it waits for", () => {
  const waiting = [inPool("own", waitingRun("own", [8, 4]))];
  const others = [agentIn("", agentWith("b")), agentIn("x", agentWith("x"))];
  const reason = (state: Partial<PooledState>) => decide({ waiting, ...state })[0]?.reason;
  assert.equal(reason({ agents: others }), "waits for its agents: 0 of 4 slots are there");
  const some = [
    agentIn("own", agentWith("a", { numSlots: 2 })),
    agentIn("own", agentWith("c", { state: "lost" })),
    agentIn("own", agentWith("d", { isDrained: true })),
  ];
  assert.equal(reason({ agents: some }), "waits for its agents: 2 of 4 slots are there");
  const placed = [inPool("own", placedRun("old", [on("a")]))];
  const agents = [agentIn("own", agentWith("a"))];
  assert.match(reason({ agents, placed }) ?? "", /^it needs 4 slots, and 0 are free/);
  const never = { waiting: [inPool("own", waitingRun("own", []))] };
  assert.equal(reason(never), "no number of ranks it may have is legal");
});

test("a run that may have fewer waits while its agents come one after the other", () => {
  const waiting = [inPool("own", waitingRun("own", [8, 4]))];
  const there = (...hereMs: number[]) => {
    const agents = hereMs.map((ms, index) => agentIn("own", agentWith(`a${index}`), ms));
    return decide({ waiting, agents });
  };
  assert.equal(there(100)[0]?.reason, "waits for the rest of its agents: 4 of 8 slots are there");
  assert.deepEqual(there(100, 50).map(inWords), ["start own on a0,a1"]);
  assert.deepEqual(there(6000).map(inWords), ["start own on a0"]);
  const recovering = [inPool("own", { ...waitingRun("own", [8, 4]), isRecovering: true })];
  const agents = [agentIn("own", agentWith("a0"), 100)];
  assert.deepEqual(decide({ waiting: recovering, agents }).map(inWords), ["start own on a0"]);
});

test("a run grows when more of its agents are there, whoever waits elsewhere", () => {
  const sizes = [
    { numRanks: 8, tensorParallel: 1 },
    { numRanks: 4, tensorParallel: 1 },
  ];
  const actions = decide({
    waiting: [inPool("", waitingRun("any", [4]))],
    placed: [inPool("own", placedRun("own", [on("a")], { sizes }))],
    agents: [agentIn("own", agentWith("a")), agentIn("own", agentWith("b"))],
  });
  assert.deepEqual(actions.map(inWords), ["wait any", "grow own on a,b"]);
});

test("quotas are for the agents of everybody", () => {
  const state = {
    waiting: [inPool("", waitingRun("any", [4])), inPool("own", waitingRun("own", [4]))],
    placed: [inPool("big", placedRun("big", [on("c")], { owner: "alice" }))],
    agents: [
      ...[agentIn("own", agentWith("a")), agentIn("", agentWith("b"))],
      agentIn("big", agentWith("c")),
    ],
  };
  const started = (quotas: ReturnType<typeof quota>) => decide(state, quotas).map(inWords);
  assert.deepEqual(started(quota([["alice", 2]])), ["wait any", "start own on a"]);
  assert.deepEqual(started(quota([["alice", 4]], 4)), ["start any on b", "start own on a"]);
});

test("without agents of their own, runs are scheduled as by the scheduler alone", () => {
  const waiting = [waitingRun("a", [4]), waitingRun("b", [2]), waitingRun("c", [16])];
  const placed = [placedRun("p", [on("x")])];
  const agents = [agentWith("x"), agentWith("y")];
  const quotas = quota([["alice", 4]]);
  assert.deepEqual(
    decide(
      {
        waiting: waiting.map((one) => inPool("", one)),
        placed: placed.map((one) => inPool("", one)),
        agents: agents.map((one) => agentIn("", one)),
      },
      quotas,
    ),
    schedule(NOW, { waiting, placed, agents, quotas }),
  );
});

test("whatever there is, nobody gets slots of another pool", () => {
  const pool = fc.constantFrom("", "r0", "r1", "r2");
  const size = fc.integer({ min: 1, max: 8 });
  fc.assert(
    fc.property(
      fc.array(fc.record({ pool, numSlots: size }), { maxLength: 8 }),
      fc.array(fc.record({ isOwn: fc.boolean(), size }), { maxLength: 8 }),
      (agents, runs) => {
        const poolOf = (runId: string) => (runs[Number(runId.slice(1))]?.isOwn ? runId : "");
        const waiting = runs.map(({ size }, index) => waitingRun(`r${index}`, [size]));
        const actions = decide({
          waiting: waiting.map((run) => inPool(poolOf(run.runId), run)),
          agents: agents.map((one, index) =>
            agentIn(one.pool, agentWith(`a${index}`, { numSlots: one.numSlots })),
          ),
        });
        assert.equal(actions.length, runs.length);
        for (const action of actions) {
          for (const { agentId } of "placed" in action ? action.placed : []) {
            assert.equal(agents[Number(agentId.slice(1))]?.pool, poolOf(action.runId));
          }
        }
      },
    ),
  );
});
