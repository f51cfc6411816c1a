import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { fixtureJob } from "../spec/job-fixture.ts";
import type { Job } from "../spec/schema.ts";
import { canTransition, type RunState } from "./run-state.ts";
import { SimulatedRun } from "./simulated-run-fixture.ts";

const STEPS = 12;
const EVERY_STEPS = 3;

let job: Job;
let directory: string;
before(async () => {
  ({ job } = await fixtureJob({
    training: { steps: STEPS },
    checkpoint: { everySteps: EVERY_STEPS },
  }));
  directory = mkdtempSync(join(tmpdir(), "moestro-supervisor-"));
});
after(() => rmSync(directory, { recursive: true }));

type Happening =
  | { kind: "steps"; count: number }
  | { kind: "killRank" | "cut" | "return" | "restartAgent"; agent: 0 | 1 }
  | { kind: "replaceCoordinator" | "wait" };

const agent = fc.constantFrom<0 | 1>(0, 1);
const happening: fc.Arbitrary<Happening> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("steps" as const),
      count: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        "killRank" as const,
        "cut" as const,
        "return" as const,
        "restartAgent" as const,
      ),
      agent,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom("replaceCoordinator" as const, "wait" as const) }),
  },
);

async function happen(world: SimulatedRun, one: Happening): Promise<void> {
  switch (one.kind) {
    case "steps":
      for (let count = 0; count < one.count; count += 1) await world.step();
      break;
    case "killRank":
      world.agents[one.agent].killRank();
      world.agents[one.agent === 0 ? 1 : 0].losePeers();
      break;
    case "cut":
      world.agents[one.agent].disconnect();
      break;
    case "return":
      world.agents[one.agent].connect();
      break;
    case "restartAgent":
      world.agents[one.agent === 0 ? 1 : 0].losePeers();
      world.agents[one.agent].restart();
      break;
    case "replaceCoordinator":
      await world.replaceCoordinator();
      break;
    case "wait":
      await sleep(30);
  }
  await sleep(2);
}

let count = 0;
test("whatever happens, in whatever order, the run ends with every step made once", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { minLength: 3, maxLength: 12 }), async (history) => {
      const world = new SimulatedRun(directory, `random-${++count}`, job);
      try {
        await world.begin();
        for (const one of history) await happen(world, one);
        await world.finish();
        assert.equal(world.failure, undefined, world.failure?.stack);
        const { state, reason } = world.ended ?? { state: "nothing", reason: "" };
        assert.equal((await world.life())?.state, state);
        const deaths = history.filter(({ kind }) => kind === "killRank" || kind === "restartAgent");
        // Killed again and again before it makes a step, a run is given up.
        const isGivenUp = deaths.length >= 3 && /^no progress in 3 starts/.test(reason);
        assert.equal(state, isGivenUp ? "failed" : "succeeded", reason);
        checkRecords(world, isGivenUp);
      } finally {
        await world.close();
      }
    }),
    { numRuns: 15, interruptAfterTimeLimit: 60_000 },
  );
});

test("a run that is suspended is so behind a checkpoint, and holds no slots", async () => {
  const world = new SimulatedRun(directory, "suspended", job);
  await world.begin();
  await world.trainTo(4);
  world.suspend();
  await world.finish();
  assert.equal(world.ended?.state, "suspended");
  assert.deepEqual((await world.life())?.placed, []);
  assert.equal(world.events.findLast(({ event }) => event === "checkpoint.committed")?.step, 5);
  await world.close();
});

test("a run that is done is stored as such though its records cannot be read", async () => {
  const world = new SimulatedRun(directory, "unread", job);
  await world.begin();
  await world.trainTo(4);
  // What is written goes on into the file; whoever reads fails.
  renameSync(world.files.metrics, `${world.files.metrics}.moved`);
  mkdirSync(world.files.metrics);
  await world.finish();
  assert.equal(world.ended?.state, "succeeded", world.failure?.stack);
  assert.equal((await world.life())?.state, "succeeded");
  const { steps, finalLoss, firstLoss } = world.ended?.summary ?? {};
  assert.deepEqual([steps, finalLoss, firstLoss], [STEPS, 100 / STEPS / 10, null]);
  await world.close();
});

/** Steps follow each other, generations grow, and states follow the table. */
function checkRecords(world: SimulatedRun, isGivenUp: boolean): void {
  const steps = world.metrics().map((one) => one.step);
  const numSteps = isGivenUp ? steps.length : STEPS;
  assert.deepEqual(
    steps,
    Array.from({ length: numSteps }, (_, index) => index + 1),
  );
  for (const one of world.agents) {
    const sorted = [...new Set(one.generations)].sort((a, b) => a - b);
    assert.deepEqual(one.generations, sorted, "a generation was started twice");
  }
  let state: RunState = "starting";
  for (const { event } of world.events) {
    const next = /^run\.(queued|starting|running|recovering|succeeded|failed)$/.exec(event)?.[1];
    if (next === undefined) continue;
    assert.ok(next === state || canTransition(state, next as RunState), `${state} to ${next}`);
    state = next as RunState;
  }
  for (const { event, firstStep, checkpointStep } of world.events) {
    if (event === "run.recovered") assert.equal(firstStep, Number(checkpointStep) + 1);
  }
}
