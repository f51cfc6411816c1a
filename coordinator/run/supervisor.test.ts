import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { JsonValue } from "@bufbuild/protobuf";
import fc from "fast-check";
import { Fleet } from "../fleet/fleet.ts";
import { NO_TELEMETRY } from "../observability/telemetry.ts";
import type { EventRecord, MetricsRecord } from "../report/records.ts";
import { fixtureJob } from "../spec/job-fixture.ts";
import type { Job } from "../spec/schema.ts";
import { currentHolder } from "../store/holder.ts";
import { openSqliteStore } from "../store/sqlite-store.ts";
import type { Held, RunSpec, RunWish, Store } from "../store/store.ts";
import { createSupervisor } from "./create-supervisor.ts";
import { LegalSizes } from "./legal-sizes.ts";
import { RunDirectory } from "./run-directory.ts";
import { canTransition, isEnded, type RunState } from "./run-state.ts";
import { SimulatedAgent } from "./simulated-agent.ts";
import type { RunEnd, Supervisor } from "./supervisor.ts";

const STEPS = 12;
const EVERY_STEPS = 3;
const PLACED = [
  { agentId: "a", slots: [0, 1] },
  { agentId: "b", slots: [0, 1] },
];
const LEASE = "leader";

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

/** A run, its coordinator and two agents; coordinators may be replaced. */
class World {
  readonly runs: RunDirectory;
  readonly events: EventRecord[] = [];
  readonly agents: readonly [SimulatedAgent, SimulatedAgent];
  readonly #store: Store;
  #fleet: Fleet;
  #held: Held | undefined;
  #supervisor: Supervisor | undefined;
  #end: Promise<RunEnd> = Promise.reject(new Error("not begun"));
  ended: RunEnd | undefined;
  failure: Error | undefined;

  constructor(name: string) {
    this.runs = new RunDirectory(join(directory, name));
    mkdirSync(this.runs.path);
    this.#store = openSqliteStore(join(directory, `${name}.db`));
    this.#fleet = this.#newFleet();
    this.agents = [new SimulatedAgent("a", this.#fleet), new SimulatedAgent("b", this.#fleet)];
    this.#end.catch(() => {});
  }

  async begin(): Promise<void> {
    const spec: RunSpec = {
      ...{ name: "r", owner: "", priority: 0, submittedAtMs: 1, maxRestarts: 50 },
      job: job as unknown as JsonValue,
    };
    const wish: RunWish = { phase: "run", minRanks: 4, maxRanks: 4, checkpoints: 0 };
    await this.#store.create("r", spec, wish);
    await this.#lead(false);
  }

  stop(checkpoint: boolean): void {
    this.#supervisor?.stop(checkpoint);
  }

  suspend(): void {
    this.#supervisor?.suspend("suspended", "asked to suspend");
  }

  /** The coordinator is gone; another one takes over under a later epoch. */
  async replaceCoordinator(): Promise<void> {
    this.#supervisor?.detach();
    for (const agent of this.agents) agent.disconnect();
    this.#fleet.close();
    this.#fleet = this.#newFleet();
    if (this.#held) await this.#store.release(this.#held);
    await this.#lead(true);
  }

  async close(): Promise<void> {
    if (!this.ended && !this.failure) this.#supervisor?.detach();
    this.#fleet.close();
    await this.#store.close();
  }

  async life() {
    return (await this.#store.get("r"))?.life;
  }

  metrics(): MetricsRecord[] {
    return linesOf(this.runs.metrics) as MetricsRecord[];
  }

  async #lead(adopt: boolean): Promise<void> {
    const held = await this.#store.acquire(LEASE, currentHolder(), 1000);
    this.#held = held;
    const stored = await this.#store.get("r");
    assert.ok(stored);
    if (adopt && isEnded(stored.life.state)) return;
    const { life } = stored;
    const isPlaced = adopt && (life.placed.length > 0 || life.state === "recovering");
    const sizes = new LegalSizes(job);
    const { spec, wish, generation } = stored;
    const supervisor = createSupervisor(
      {
        ...{ runId: "r", spec, job, wish, generation, life },
        ...{ state: isPlaced ? life.state : "starting", reason: "as it was" },
      },
      {
        ...{ directory: this.runs, store: this.#store, held, fleet: this.#fleet },
        slots: { next: async () => PLACED },
        ...{ cacheDirectory: directory, networkInterface: "" },
        ...{ telemetry: NO_TELEMETRY, trace: () => {}, leads: () => true },
        observer: { status: () => {}, step: () => {}, event: (record) => this.events.push(record) },
        planFor: (ranks) => {
          const plan = sizes.plan(ranks);
          assert.ok(plan);
          return plan;
        },
      },
    );
    this.#supervisor = supervisor;
    const end =
      adopt && isPlaced ? supervisor.adopt(life, generation) : supervisor.carryOut(PLACED);
    this.#end = end;
    end.then(
      (ended) => {
        this.ended = ended;
      },
      (error: Error) => {
        // One that was let go of has nothing more to say.
        if (this.#supervisor === supervisor) this.failure = error;
      },
    );
    for (const agent of this.agents) agent.connect(this.#fleet);
  }

  #newFleet(): Fleet {
    return new Fleet({
      epoch: () => BigInt(this.#held?.epoch ?? 0),
      leader: () => undefined,
      changed: () => {},
      overtaken: () => {},
      refusedStale: () => {},
    });
  }
}

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

async function happen(world: World, one: Happening): Promise<void> {
  switch (one.kind) {
    case "steps":
      for (let count = 0; count < one.count; count += 1) await step(world);
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

/** Ranks make a step together, or none does. */
async function step(world: World): Promise<void> {
  const [a, b] = world.agents.map((one) => one.step);
  if (a === undefined || a !== b) return;
  const [first] = world.agents;
  // Rank 0 is there, and all ranks learn of a stop with the loss reduction.
  const stopping = first.isStopping;
  for (const one of world.agents) one.makeStep(STEPS, EVERY_STEPS, stopping);
  await sleep(1);
}

/** Heals everything and lets the run go on to its end. */
async function finish(world: World): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (const one of world.agents) one.connect();
  while (!world.ended && !world.failure) {
    assert.ok(Date.now() < deadline, `it does not end: ${JSON.stringify(world.events.at(-1))}`);
    for (const one of world.agents) one.heartbeat();
    await step(world);
    await sleep(5);
  }
}

let count = 0;
test("whatever happens, in whatever order, the run ends with every step made once", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { minLength: 3, maxLength: 12 }), async (history) => {
      const world = new World(`random-${++count}`);
      try {
        await world.begin();
        for (const one of history) await happen(world, one);
        await finish(world);
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
  const world = new World("suspended");
  await world.begin();
  for (let waits = 0; world.agents[0].step !== 4; waits += 1) {
    assert.ok(waits < 200 && !world.failure, world.failure?.stack ?? "the fourth step never came");
    await step(world);
    await sleep(5);
  }
  world.suspend();
  await finish(world);
  assert.equal(world.ended?.state, "suspended");
  assert.deepEqual((await world.life())?.placed, []);
  assert.equal(world.events.findLast(({ event }) => event === "checkpoint.committed")?.step, 5);
  await world.close();
});

/** Steps follow each other, generations grow, and states follow the table. */
function checkRecords(world: World, isGivenUp: boolean): void {
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

function linesOf(path: string): unknown[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}
