import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { JsonValue } from "@bufbuild/protobuf";
import { Fleet } from "../fleet/fleet.ts";
import { NO_TELEMETRY } from "../observability/telemetry.ts";
import type { EventRecord, MetricsRecord } from "../report/records.ts";
import type { Job } from "../spec/schema.ts";
import { currentHolder } from "../store/holder.ts";
import { openSqliteStore } from "../store/sqlite-store.ts";
import type { Held, RunSpec, RunWish, Store } from "../store/store.ts";
import { createSupervisor } from "./create-supervisor.ts";
import { LegalSizes } from "./legal-sizes.ts";
import { RunDirectory } from "./run-directory.ts";
import type { RunEnd } from "./run-end.ts";
import { isEnded } from "./run-state.ts";
import { SimulatedAgent } from "./simulated-agent-fixture.ts";
import type { Supervisor } from "./supervisor.ts";

const PLACED = [
  { agentId: "a", slots: [0, 1] },
  { agentId: "b", slots: [0, 1] },
];
const LEASE = "leader";

/** A run for tests, its coordinator and two simulated agents; coordinators may be replaced. */
export class SimulatedRun {
  readonly files: RunDirectory;
  readonly events: EventRecord[] = [];
  readonly agents: readonly [SimulatedAgent, SimulatedAgent];
  readonly #directory: string;
  readonly #job: Job;
  readonly #store: Store;
  #fleet: Fleet;
  #held: Held | undefined;
  #supervisor: Supervisor | undefined;
  #end: Promise<RunEnd> = Promise.reject(new Error("not begun"));
  ended: RunEnd | undefined;
  failure: Error | undefined;

  /** `directory` has a folder for the run, of this name, and what else it needs. */
  constructor(directory: string, name: string, job: Job) {
    this.#directory = directory;
    this.#job = job;
    this.files = new RunDirectory(join(directory, name));
    mkdirSync(this.files.path, { recursive: true });
    this.#store = openSqliteStore(join(directory, `${name}.db`));
    this.#fleet = this.#newFleet();
    this.agents = [new SimulatedAgent("a", this.#fleet), new SimulatedAgent("b", this.#fleet)];
    this.#end.catch(() => {});
  }

  async begin(): Promise<void> {
    const spec: RunSpec = {
      ...{ name: "r", owner: "", priority: 0, submittedAtMs: 1, maxRestarts: 50 },
      job: this.#job as unknown as JsonValue,
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

  status() {
    return this.#supervisor?.status();
  }

  async life() {
    return (await this.#store.get("r"))?.life;
  }

  metrics(): MetricsRecord[] {
    const lines = readFileSync(this.files.metrics, "utf8").split("\n");
    return lines.flatMap((line) => (line === "" ? [] : (JSON.parse(line) as MetricsRecord)));
  }

  /** All ranks make a step together, or none does. */
  async step(): Promise<void> {
    const [a, b] = this.agents.map((one) => one.step);
    if (a === undefined || a !== b) return;
    const [first] = this.agents;
    // Rank 0 is there, and all ranks learn of a stop with the loss reduction.
    const stopping = first.isStopping;
    const { training, checkpoint } = this.#job;
    for (const one of this.agents) one.makeStep(training.steps, checkpoint.everySteps, stopping);
    await sleep(1);
  }

  /** Lets ranks make steps up to this one. */
  async trainTo(step: number): Promise<void> {
    for (let waits = 0; this.agents[0].step !== step; waits += 1) {
      assert.ok(waits < 200 && !this.failure, this.failure?.stack ?? `step ${step} never came`);
      await this.step();
      await sleep(5);
    }
  }

  /** Heals everything and lets the run go on to its end. */
  async finish(): Promise<void> {
    const deadline = Date.now() + 60_000;
    for (const one of this.agents) one.connect();
    while (!this.ended && !this.failure) {
      assert.ok(Date.now() < deadline, `it does not end: ${JSON.stringify(this.events.at(-1))}`);
      for (const one of this.agents) one.heartbeat();
      await this.step();
      await sleep(5);
    }
  }

  async #lead(adopt: boolean): Promise<void> {
    const held = await this.#store.acquire(LEASE, currentHolder(), 1000);
    this.#held = held;
    const stored = await this.#store.get("r");
    assert.ok(stored);
    if (adopt && isEnded(stored.life.state)) return;
    const { life } = stored;
    const isPlaced = adopt && (life.placed.length > 0 || life.state === "recovering");
    const sizes = new LegalSizes(this.#job);
    const { spec, wish, generation } = stored;
    const supervisor = createSupervisor(
      {
        ...{ runId: "r", spec, job: this.#job, wish, generation, life },
        ...{ state: isPlaced ? life.state : "starting", reason: "as it was" },
      },
      {
        ...{ directory: this.files, store: this.#store, held, fleet: this.#fleet },
        slots: { next: async () => PLACED },
        ...{ cacheDirectory: this.#directory, networkInterface: "" },
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
