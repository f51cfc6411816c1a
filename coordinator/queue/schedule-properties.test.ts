import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Placed } from "../store/store.ts";
import { agentWith, NOW, placedRun, sizesOf, waitingRun } from "./queue-fixture.ts";
import { SCHEDULING_OPTIONS, schedule } from "./schedule.ts";
import type { Action, PlacedRun, SchedulingState, WaitingRun } from "./scheduling.ts";
import { numSlotsOf } from "./supply.ts";

const arbitraryAgent = fc.record({
  numSlots: fc.integer({ min: 1, max: 8 }),
  isDrained: fc.integer({ min: 0, max: 7 }).map((roll) => roll === 0),
  state: fc.constantFrom("connected", "connected", "connected", "silent", "lost"),
  accelerator: fc.constantFrom("", "H200"),
});

const arbitraryOwner = fc.constantFrom("alice", "bob", "carol");
const arbitraryPriority = fc.integer({ min: 0, max: 3 });
const arbitrarySizes = fc.uniqueArray(fc.integer({ min: 1, max: 16 }), { maxLength: 4 });

const arbitraryPlaced = fc.record({
  size: fc.integer({ min: 1, max: 12 }),
  accelerator: fc.constantFrom("", "H200"),
  owner: arbitraryOwner,
  priority: arbitraryPriority,
  startedAtMs: fc.nat(5),
  sizes: arbitrarySizes.map(sizesOf),
  isLeaving: fc.integer({ min: 0, max: 3 }).map((roll) => roll === 0),
});

const arbitraryWaiting = fc.record({
  owner: arbitraryOwner,
  priority: arbitraryPriority,
  submittedAtMs: fc.nat(5),
  queuedSinceMs: fc.integer({ min: NOW - 2 * SCHEDULING_OPTIONS.starvationMs, max: NOW }),
  sizes: arbitrarySizes,
  wasOn: fc.option(fc.record({ size: fc.integer({ min: 1, max: 12 }), isH200: fc.boolean() })),
});

const arbitraryState = fc
  .record({
    agents: fc.array(arbitraryAgent, { minLength: 1, maxLength: 6 }),
    placed: fc.array(arbitraryPlaced, { maxLength: 6 }),
    waiting: fc.array(arbitraryWaiting, { maxLength: 8 }),
    byOwner: fc.array(fc.tuple(arbitraryOwner, fc.integer({ min: 0, max: 24 })), { maxLength: 2 }),
    total: fc.option(fc.integer({ min: 0, max: 40 }), { nil: undefined }),
  })
  .map(({ byOwner, total, ...rest }): SchedulingState => {
    const agents = rest.agents.map((one, index) => agentWith(`agent-${index}`, one));
    const free = agents.map(({ agentId, numSlots, accelerator }) => ({
      agentId,
      accelerator,
      slots: [...Array(numSlots).keys()],
    }));
    /** Takes up to `size` slots of one kind. */
    const carve = (size: number, accelerator: string): Placed[] => {
      let missing = size;
      return free.flatMap((one) => {
        if (one.accelerator !== accelerator) return [];
        const slots = one.slots.splice(0, missing);
        missing -= slots.length;
        return slots.length === 0 ? [] : [{ agentId: one.agentId, slots }];
      });
    };
    const placed = rest.placed
      .map(({ size, accelerator, ...run }, index) =>
        placedRun(`placed-${index}`, carve(size, accelerator), run),
      )
      .filter((run) => run.placed.length > 0);
    const waiting = rest.waiting.map(({ sizes, wasOn, ...run }, index) => {
      const previous = wasOn ? carve(wasOn.size, wasOn.isH200 ? "H200" : "") : [];
      const isRecovering = wasOn !== null;
      return waitingRun(`waiting-${index}`, sizes, { ...run, isRecovering, previous });
    });
    return { agents, placed, waiting, quotas: { byOwner: new Map(byOwner), total } };
  });

type Given = Extract<Action, { placed: Placed[] }>;

const isGiven = (action: Action): action is Given => "placed" in action;

function check(body: (state: SchedulingState, actions: Action[]) => void): void {
  fc.assert(
    fc.property(arbitraryState, (state) => body(state, schedule(NOW, state))),
    { numRuns: 1000 },
  );
}

function find<Run extends { runId: string }>(runs: readonly Run[], runId: string): Run {
  const run = runs.find((one) => one.runId === runId);
  assert.ok(run, runId);
  return run;
}

describe("a pass", () => {
  it("gives no slot twice, and none of an agent that takes no ranks", () => {
    check(({ agents, placed }, actions) => {
      const used = new Set<string>();
      const given = actions.filter(isGiven);
      const grown = new Set(given.map(({ runId }) => runId));
      const kept = placed.filter(({ runId }) => !grown.has(runId));
      for (const one of [...given, ...kept]) {
        for (const { agentId, slots } of one.placed) {
          for (const slot of slots) {
            assert.ok(!used.has(`${agentId} ${slot}`), `${agentId} ${slot} is given twice`);
            used.add(`${agentId} ${slot}`);
          }
        }
      }
      for (const one of given) {
        const its = one.placed.map(({ agentId, slots }) => {
          const agent = agents.find((other) => other.agentId === agentId);
          assert.ok(agent?.state === "connected" && !agent.isDrained);
          assert.ok(slots.every((slot) => slot < agent.numSlots));
          return agent.accelerator;
        });
        assert.equal(new Set(its).size, 1, "a run has one kind of accelerator");
      }
    });
  });

  it("starts runs whole, at a legal size, and says of every run what becomes of it", () => {
    check(({ waiting, placed }, actions) => {
      for (const action of actions.filter(isGiven)) {
        const runs: (WaitingRun | PlacedRun)[] =
          action.kind === "start" ? [...waiting] : [...placed];
        const { sizes } = find(runs, action.runId);
        assert.ok(sizes.some(({ numRanks }) => numRanks === action.size));
        assert.equal(numSlotsOf(action.placed), action.size);
      }
      const told = actions.filter(({ kind }) => kind === "start" || kind === "wait");
      assert.deepEqual(
        told.map(({ runId }) => runId).sort(),
        waiting.map(({ runId }) => runId).sort(),
      );
    });
  });

  it("gives nobody more than the quotas allow", () => {
    check(({ waiting, placed, quotas }, actions) => {
      const given = new Map(actions.filter(isGiven).map((action) => [action.runId, action.size]));
      const uses = [...placed, ...waiting].map(({ runId, owner }) => {
        const before = placed.find((run) => run.runId === runId)?.placed ?? [];
        return { owner, isNew: given.has(runId), size: given.get(runId) ?? numSlotsOf(before) };
      });
      const within = (some: typeof uses, limit = Number.POSITIVE_INFINITY) => {
        const sum = some.reduce((total, { size }) => total + size, 0);
        assert.ok(sum <= limit || !some.some(({ isNew }) => isNew), `${sum} of ${limit}`);
      };
      within(uses, quotas.total);
      for (const [owner, limit] of quotas.byOwner) {
        within(
          uses.filter((use) => use.owner === owner),
          limit,
        );
      }
    });
  });

  it("preempts only runs of lower priority, each once, and none that is leaving", () => {
    check(({ waiting, placed }, actions) => {
      const preempted = actions.filter((action) => action.kind === "preempt");
      assert.equal(new Set(preempted.map(({ runId }) => runId)).size, preempted.length);
      for (const action of preempted) {
        const victim = find(placed, action.runId);
        assert.ok(!victim.isLeaving);
        assert.ok(victim.priority < find(waiting, action.for).priority);
      }
    });
  });

  it("offers more only to runs that stay, and only while nobody is preempted", () => {
    check(({ placed }, actions) => {
      const grown = actions.filter((action) => action.kind === "grow");
      for (const { runId, size } of grown) {
        const run = find(placed, runId);
        assert.ok(!run.isLeaving && size > numSlotsOf(run.placed));
      }
      if (grown.length > 0) assert.ok(!actions.some(({ kind }) => kind === "preempt"));
    });
  });

  it("preempts what lets a run start once it is gone, and not one run more", () => {
    check((state) => {
      for (const run of state.waiting) {
        const alone = { ...state, waiting: [run] };
        const victims = new Set(
          schedule(NOW, alone)
            .filter(({ kind }) => kind === "preempt")
            .map(({ runId }) => runId),
        );
        if (victims.size === 0) continue;
        const startsWithout = (gone: ReadonlySet<string>) =>
          schedule(NOW, {
            ...alone,
            placed: state.placed.filter(({ runId, isLeaving }) => !isLeaving && !gone.has(runId)),
          }).some(({ kind }) => kind === "start");
        assert.ok(startsWithout(victims));
        for (const spared of victims) {
          const fewer = new Set([...victims].filter((runId) => runId !== spared));
          assert.ok(!startsWithout(fewer), `${spared} was preempted needlessly`);
        }
      }
    });
  });

  it("decides the same whatever order it is told of things in", () => {
    check((state, actions) => {
      const { agents, placed, waiting, quotas } = state;
      const turned = {
        ...{ agents: agents.toReversed(), placed: placed.toReversed() },
        ...{ waiting: waiting.toReversed(), quotas },
      };
      assert.deepEqual(schedule(NOW, turned), actions);
    });
  });

  it("decides of a run without looking at those behind it", () => {
    check((state, actions) => {
      const queued = state.waiting.filter(({ isRecovering }) => !isRecovering);
      const told = schedule(NOW, { ...state, waiting: queued }).filter(
        ({ kind }) => kind !== "grow",
      );
      const last = told.findLast(({ kind }) => kind === "start" || kind === "wait")?.runId;
      if (last === undefined || actions.length === 0) return;
      const ahead = queued.filter(({ runId }) => runId !== last);
      const shorter = schedule(NOW, { ...state, waiting: ahead }).filter(
        ({ kind }) => kind !== "grow",
      );
      assert.deepEqual(told.slice(0, shorter.length), shorter);
    });
  });
});
