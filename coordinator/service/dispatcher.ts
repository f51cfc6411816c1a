import { join } from "node:path";
import { toBinary } from "@bufbuild/protobuf";
import { RunStatusSchema } from "../../proto/gen/moestro/v1/run_pb.js";
import { EXIT_CODES } from "../errors.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { ServiceState, Telemetry } from "../observability/telemetry.ts";
import type { TraceRecovery } from "../observability/trace.ts";
import type { Action, Quotas, SchedulingOptions } from "../queue/scheduling.ts";
import type { EventRecord } from "../report/records.ts";
import { writeReport } from "../report/write-report.ts";
import { countsAfterLoss, type LegalSizes } from "../run/legal-sizes.ts";
import { RunDirectory } from "../run/run-directory.ts";
import type { RunEnd } from "../run/run-end.ts";
import { isEnded, isPlaced, type RunState } from "../run/run-state.ts";
import type { SlotSource } from "../run/slot-source.ts";
import type { Supervisor } from "../run/supervisor.ts";
import type { Held, Placed, RunLife, Store, StoredRun } from "../store/store.ts";
import { Passes } from "./passes.ts";
import { patientStore } from "./patient-store.ts";
import { schedulePools } from "./pools.ts";
import type { QueuedRun, SizesOfJobs } from "./queued-run.ts";
import { schedulingState } from "./scheduling-state.ts";
import { type SupervisedRun, supervise } from "./supervised-run.ts";
import { settled, steer } from "./wishes.ts";

const PASS_EVERY_MS = 5000;
/** Between two copies of a run's status for those that stand by. */
const STATUS_EVERY_MS = 1000;

export type DispatcherOptions = {
  store: Store;
  held: Held;
  fleet: Fleet;
  runsDirectory: string;
  cacheDirectory: string;
  networkInterface: string;
  /** Known plans outlast one who leads. */
  sizes: SizesOfJobs;
  quotas: Quotas;
  scheduling: SchedulingOptions;
  telemetry: Telemetry;
  trace: TraceRecovery;
  /** Whether decisions may be made now: the lease certainly holds. */
  leads(): boolean;
  log: DispatcherLog;
};

export type DispatcherLog = {
  event(runId: string, record: EventRecord): void;
  failed(runId: string, why: string): void;
  /** A plan was not made; it is tried again. */
  notPlanned(runId: string, why: string): void;
};

type Sized = Extract<Action, { kind: "start" | "grow" }>;

function waitsForPlan({ runId, size }: Sized): Action {
  return { kind: "wait", runId, reason: `its layout for ${size} ranks is being planned` };
}

/**
 * What the leader does about runs: starts them as there is room, hands out slots for
 * their recoveries, and sees to what people wish.
 */
export class Dispatcher implements SlotSource {
  readonly #options: DispatcherOptions;
  readonly #queued = new Map<string, QueuedRun>();
  readonly #supervised = new Map<string, SupervisedRun>();
  #drained = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  readonly #passes = new Passes(() => this.#passNow());
  #detached = false;

  constructor(options: DispatcherOptions) {
    const store = patientStore(options.store, () => this.#detached);
    this.#options = { ...options, store };
  }

  /** Takes over everything that is not over: running ranks are adopted. */
  async begin(): Promise<void> {
    const { store } = this.#options;
    this.#drained = new Set(await store.drained());
    for (const stored of await store.active()) {
      this.#contain(stored.runId, () => {
        if (isPlaced(stored.life.state)) this.#adopt(stored);
        else this.#enqueue(stored);
      });
    }
    for (const runId of [...this.#supervised.keys()]) await this.look(runId);
    this.pass();
    // What only time changes: who has waited long, who has trained long enough to move.
    this.#timer = setInterval(() => this.pass(), PASS_EVERY_MS).unref();
  }

  /** Lets go of all runs without touching their ranks. */
  detach(): void {
    this.#detached = true;
    this.#passes.close();
    clearInterval(this.#timer);
    for (const { supervisor } of this.#supervised.values()) supervisor.detach();
    this.#supervised.clear();
    this.#queued.clear();
  }

  supervisor(runId: string): Supervisor | undefined {
    return this.#supervised.get(runId)?.supervisor;
  }

  /** Runs with ranks on an agent. */
  runsOn(agentId: string): { runId: string; numSlots: number }[] {
    return [...this.#supervised.values()].flatMap(({ stored, placed }) => {
      const slots = placed.find((one) => one.agentId === agentId)?.slots ?? [];
      return slots.length > 0 ? [{ runId: stored.runId, numSlots: slots.length }] : [];
    });
  }

  /** All runs that are not over. */
  runs(): ServiceState["runs"] {
    const queued = [...this.#queued.values()].map(({ stored }) => ({
      ...{ runId: stored.runId, state: stored.life.state },
    }));
    const supervised = [...this.#supervised.values()].map(({ stored, supervisor }) => ({
      ...{ runId: stored.runId, state: supervisor.facts.state },
      goodput: supervisor.facts.goodput,
    }));
    return [...queued, ...supervised];
  }

  /** The store came back empty: puts back what is known here. */
  async restore(): Promise<void> {
    const { store, held } = this.#options;
    for (const agentId of this.#drained) await store.setDrained(agentId, true);
    for (const { stored } of this.#queued.values()) await store.restore(stored, held);
    for (const { stored, supervisor } of this.#supervised.values()) {
      const { state, reason, generation } = supervisor.facts;
      await store.restore({ ...stored, generation, life: supervisor.life(state, reason) }, held);
    }
  }

  // --- SlotSource ---

  next(runId: string, signal: AbortSignal): Promise<readonly Placed[]> {
    const run = this.#supervised.get(runId);
    if (!run) return Promise.reject(new Error(`run ${runId} is not supervised`));
    return new Promise((resolve, reject) => {
      if (signal.aborted) reject(signal.reason);
      run.recovering = { sinceMs: Date.now(), resolve };
      signal.addEventListener("abort", () => {
        run.recovering = undefined;
        reject(signal.reason);
      });
      // At once: the way through the queue of passes would cost a turn.
      this.#passNow();
    });
  }

  // --- what people wish ---

  /** Sees to what is wished of a run: idempotent, repeated at will. */
  async look(runId: string): Promise<void> {
    if (this.#detached || !this.#options.leads()) return;
    const stored = await this.#options.store.get(runId);
    if (!stored || isEnded(stored.life.state)) return;
    const supervised = this.#supervised.get(runId);
    if (supervised) {
      const leaves = steer(supervised, stored);
      if (leaves !== undefined) this.#requeue(supervised, leaves);
    } else await this.#settle(stored);
    this.pass();
  }

  async setDrained(): Promise<void> {
    this.#drained = new Set(await this.#options.store.drained());
    for (const run of this.#supervised.values()) {
      const where = run.placed.find(({ agentId }) => this.#drained.has(agentId));
      if (where) this.#requeue(run, `agent ${where.agentId} is drained: the run moves away`);
    }
    this.pass();
  }

  /** An agent is about to end: runs with ranks there move away, as from one that is drained. */
  agentLeaves(agentId: string, why: string): void {
    if (this.#detached || !this.#options.leads()) return;
    for (const run of this.#supervised.values()) {
      if (!run.placed.some((one) => one.agentId === agentId)) continue;
      this.#requeue(run, `agent ${agentId} leaves (${why}): the run moves away`);
    }
    this.pass();
  }

  isDrained(agentId: string): boolean {
    return this.#drained.has(agentId);
  }

  /** Looks at what can start, soon. */
  pass(): void {
    this.#passes.soon();
  }

  // --- inside ---

  #passNow(): void {
    if (this.#detached || !this.#options.leads()) return;
    let actions = this.#decide();
    // A size without a plan is an estimate: with the plan the decision may be another.
    while (this.#planFirst(actions)) actions = this.#decide();
    for (const action of actions) {
      const ready = this.#isBeingPlanned(action) ? waitsForPlan(action) : action;
      this.#contain(action.runId, () => this.#carryOut(ready));
    }
  }

  /** Whether the plan of the action's size is made elsewhere; this looks again when it is there. */
  #isBeingPlanned(action: Action): action is Sized {
    if (action.kind !== "start" && action.kind !== "grow") return false;
    const sizes = this.#sizesOf(action.runId);
    if (!sizes?.isSlow || sizes.isPlanned(action.size)) return false;
    sizes.planned(action.size).then(
      () => this.pass(),
      (error: Error) => this.#options.log.notPlanned(action.runId, error.message),
    );
    return true;
  }

  #sizesOf(runId: string): LegalSizes | undefined {
    return (this.#supervised.get(runId) ?? this.#queued.get(runId))?.sizes;
  }

  #decide(): Action[] {
    const now = Date.now();
    const { quotas, scheduling, fleet } = this.#options;
    const runs = { queued: this.#queued.values(), supervised: [...this.#supervised.values()] };
    const state = schedulingState({
      ...runs,
      members: fleet.members(),
      drained: this.#drained,
    });
    return schedulePools(now, { ...state, quotas }, scheduling);
  }

  /** Makes the plan of the first action that has none; whether there was one. */
  #planFirst(actions: readonly Action[]): boolean {
    for (const action of actions) {
      if (action.kind !== "start" && action.kind !== "grow") continue;
      const sizes = this.#sizesOf(action.runId);
      if (!sizes || sizes.isSlow || sizes.isPlanned(action.size)) continue;
      sizes.plan(action.size);
      return true;
    }
    return false;
  }

  #carryOut(action: Action): void {
    const run = this.#supervised.get(action.runId);
    switch (action.kind) {
      case "start":
        if (run?.recovering) {
          const { resolve } = run.recovering;
          run.recovering = undefined;
          run.placed = action.placed;
          run.startedAtMs = Date.now();
          resolve(action.placed);
          void this.#prepare(run);
        } else this.#start(action.runId, action.placed, action.reason);
        break;
      case "preempt":
        if (run) this.#requeue(run, action.reason);
        break;
      case "grow":
        if (run?.supervisor.move(action.placed, action.reason)) {
          run.placed = action.placed;
          run.startedAtMs = Date.now();
        }
        break;
      case "wait":
        if (run) run.supervisor.waiting(action.reason);
        else this.#waitFor(action.runId, action.reason);
        break;
    }
  }

  /** What is wrong with one run, such as a folder that is gone, is no other run's trouble. */
  #contain(runId: string, body: () => void): void {
    try {
      body();
    } catch (error) {
      this.#supervised.delete(runId);
      this.#queued.delete(runId);
      this.#options.log.failed(runId, (error as Error).message);
      void this.#giveUp(runId, (error as Error).message).catch(() => {});
    }
  }

  async #giveUp(runId: string, reason: string): Promise<void> {
    const { store, held } = this.#options;
    const stored = await store.get(runId);
    if (!stored) return;
    const life: RunLife = { ...stored.life, state: "failed", reason, placed: [] };
    await store.setLife(runId, held, { ...life, exitCode: EXIT_CODES.run_failed });
  }

  /** A run's reason for waiting is kept here: it changes with every pass. */
  #waitFor(runId: string, reason: string): void {
    const run = this.#queued.get(runId);
    if (!run || run.stored.life.reason === reason) return;
    run.stored = { ...run.stored, life: { ...run.stored.life, reason } };
  }

  /** Why a run waits, as the last pass had it. */
  waitingReason(runId: string): string | undefined {
    return this.#queued.get(runId)?.stored.life.reason;
  }

  #start(runId: string, placed: readonly Placed[], reason: string): void {
    const queued = this.#queued.get(runId);
    if (!queued) return;
    this.#queued.delete(runId);
    this.#options.telemetry.queueWaited(Date.now() - queued.sinceMs);
    const run = this.#supervise(queued.stored, queued.sizes, "queued");
    run.placed = placed;
    run.supervisor.begin(reason);
    this.#see(run, run.supervisor.carryOut(placed));
  }

  #adopt(stored: StoredRun): void {
    const { life, generation } = stored;
    const run = this.#supervise(stored, this.#options.sizes.of(stored.spec.job), life.state);
    run.placed = life.placed;
    this.#see(run, run.supervisor.adopt(life, generation));
  }

  #supervise(stored: StoredRun, sizes: LegalSizes, state: RunState): SupervisedRun {
    const { runId } = stored;
    const run = supervise(stored, sizes, state, {
      ...this.#options,
      directory: this.directory(runId),
      slots: this,
      changed: () => this.#saveStatus(runId),
    });
    this.#supervised.set(runId, run);
    return run;
  }

  directory(runId: string): RunDirectory {
    return new RunDirectory(join(this.#options.runsDirectory, runId));
  }

  /** Sees a run's end, and what it leaves to do. */
  #see(run: SupervisedRun, end: Promise<RunEnd>): void {
    const { runId } = run.stored;
    void this.#prepare(run);
    end
      .then(async (ended) => {
        if (this.#detached) return;
        this.#saveStatus(runId, true);
        this.#supervised.delete(runId);
        if (ended.state === "queued" || ended.state === "suspended") {
          const stored = await this.#options.store.get(runId);
          if (stored) this.#enqueue(stored, run.isLeaving);
          // What was wished while it gave its slots back.
          await this.look(runId);
        } else await writeReport(this.directory(runId).path).catch(() => {});
      })
      .catch((error: Error) => {
        if (this.#detached) return;
        this.#supervised.delete(runId);
        this.#options.log.failed(runId, error.message);
      })
      .finally(() => this.pass());
  }

  /** Plans for the loss of each node ahead, so that a recovery need not. */
  async #prepare({ sizes, stored, placed }: SupervisedRun): Promise<void> {
    // A plan that cannot be made ahead is told of when it is needed.
    await sizes.prepare(stored.wish.minRanks, countsAfterLoss(placed)).catch(() => {});
  }

  #enqueue(stored: StoredRun, isOwed = false): void {
    const sizes = this.#options.sizes.of(stored.spec.job);
    this.#queued.set(stored.runId, { stored, sizes, sinceMs: Date.now(), isOwed });
  }

  /** Behind a checkpoint back into the queue. */
  #requeue(run: SupervisedRun, reason: string): void {
    if (run.isLeaving) return;
    run.isLeaving = true;
    run.supervisor.suspend("queued", reason);
  }

  /** Sees to what is wished of a run without ranks. */
  async #settle(stored: StoredRun): Promise<void> {
    const { runId } = stored;
    const { store, held } = this.#options;
    const life = settled(stored);
    const known = this.#queued.get(runId);
    if (life) {
      // First, so that it does not start meanwhile.
      this.#queued.delete(runId);
      await store.setLife(runId, held, life);
      if (!isEnded(life.state)) this.#enqueue({ ...stored, life });
    } else if (known) known.stored = { ...stored, life: known.stored.life };
    else this.#enqueue(stored);
  }

  #saveStatus(runId: string, isLast = false): void {
    const run = this.#supervised.get(runId);
    const now = performance.now();
    if (!run || (!isLast && now - run.savedStatusAtMs < STATUS_EVERY_MS)) return;
    run.savedStatusAtMs = now;
    const { store, held } = this.#options;
    const status = toBinary(RunStatusSchema, run.supervisor.status());
    // For those that stand by; one that is missed is followed by the next.
    void store.setStatus(runId, held, status).catch(() => {});
  }
}
