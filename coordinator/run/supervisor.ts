import { type JsonValue, toJson } from "@bufbuild/protobuf";
import { PlanSchema } from "../../proto/gen/moestro/v1/plan_pb.js";
import type { RunStatus } from "../../proto/gen/moestro/v1/run_pb.js";
import { coefficientsMessage } from "../controller/message.ts";
import { EXIT_CODES, MoestroError } from "../errors.ts";
import type { RestartCause, Telemetry } from "../observability/telemetry.ts";
import type { TraceRecovery } from "../observability/trace.ts";
import type { RunOutcome } from "../report/records.ts";
import type { Placed, RunLife, RunSpec } from "../store/store.ts";
import { commitCheckpoint } from "./commit-checkpoint.ts";
import { WriteError } from "./files.ts";
import { Generation } from "./generation.ts";
import { GenerationRecords } from "./generation-records.ts";
import { peakFlops } from "./peak-flops.ts";
import type { Decision } from "./policy.ts";
import {
  adoptGeneration,
  type PreparedGeneration,
  prepareGeneration,
  type RunContext,
} from "./prepare-generation.ts";
import { proveRecovery } from "./prove-recovery.ts";
import type { Failure } from "./recovery.ts";
import { RecoveryTimes } from "./recovery-times.ts";
import { concludeRun, type RunEnd } from "./run-end.ts";
import type { RunState } from "./run-state.ts";
import { describeWait, type RunFacts } from "./run-status.ts";
import { RunTally } from "./run-tally.ts";
import type { SlotSource } from "./slot-source.ts";
import { soFarOf } from "./so-far.ts";

/** Above any step of a model; a hung peer is noticed long before by its run's own steps. */
const COLLECTIVE_TIMEOUT_MS = 10 * 60 * 1000;

/** What a run's ranks are to end for, if anything, and what comes after. */
type Intent =
  | { kind: "stop"; checkpoint: boolean }
  | { kind: "suspend"; then: "suspended" | "queued"; reason: string }
  | { kind: "move"; placed: readonly Placed[]; reason: string };

export type SupervisorOptions = {
  context: RunContext;
  spec: RunSpec;
  slots: SlotSource;
  /** As it was left; undefined for a run that never started. */
  life: RunLife | undefined;
  /** The interface ranks talk over, unless their agent names one. */
  networkInterface: string;
  telemetry: Telemetry;
  trace: TraceRecovery;
};

/** Sees one run through: its generations one after the other, and what is decided between them. */
export class Supervisor {
  readonly runId: string;
  readonly #options: SupervisorOptions;
  readonly #context: RunContext;
  readonly #tally: RunTally;
  readonly #abort = new AbortController();
  #generation: Generation | undefined;
  #placed: readonly Placed[];
  #plan: JsonValue;
  #intent: Intent | undefined;
  #recovery: RecoveryTimes | undefined;
  #lastStepAtMs = 0;
  #runningAtMs = 0;
  /** The step that the current generation's ranks began behind. */
  #fromStep = 0;
  #cause: RestartCause = "move";
  #detached = false;
  /** It has come to its end, or waits and is another supervisor's from then on. */
  #isOver = false;

  constructor(options: SupervisorOptions) {
    const { context, life } = options;
    this.#options = options;
    this.#context = context;
    this.runId = context.runId;
    this.#placed = life?.placed ?? [];
    this.#plan = life?.plan ?? null;
    this.#tally = new RunTally(life);
  }

  status(): RunStatus {
    return this.#context.journal.status();
  }

  /** How long all ranks of the current generation have stood; 0 while they do not. */
  get runningMs(): number {
    return this.facts.state === "running" ? performance.now() - this.#runningAtMs : 0;
  }

  get facts(): RunFacts {
    return this.#context.journal.facts;
  }

  isEnded(): boolean {
    return this.#context.journal.isEnded();
  }

  event(event: string, message: string, details: Record<string, unknown> = {}): void {
    this.#context.journal.event(event, message, details);
  }

  /** Where the ranks run, or ran last. */
  get placed(): readonly Placed[] {
    return this.#placed;
  }

  /** Rank processes as far as told, by rank. */
  get pids(): ReadonlyMap<number, number> {
    return this.#generation?.pids ?? new Map();
  }

  /** The life as it is stored. */
  life(state: RunState, reason: string): RunLife {
    return {
      ...{ state, reason, placed: this.#placed, plan: this.#plan },
      ...this.#tally.life,
      exitCode: this.facts.exitCode,
    };
  }

  /**
   * Ranks of a generation that was given up have made this step. True, once, if it is one
   * that they could not have made had they been gone: then the restart was for nothing.
   */
  provesFalseRestart(generation: number, step: number): boolean {
    const lastStep = this.#tally.restartedFalselyBehind(generation, step);
    if (lastStep === undefined) return false;
    const message = `ranks of generation ${generation} had gone on to step ${step}: the restart after step ${lastStep} was for nothing`;
    this.event("run.restarted-falsely", message, { step, lastStep });
    this.#options.telemetry.restartedFalsely();
    return true;
  }

  // --- what people and the queue ask ---

  /** Slots are there, for `reason`: the run begins. */
  begin(reason: string): void {
    const { journal } = this.#context;
    // It had slots before, and gave them back.
    if (journal.facts.generation > 0) {
      this.#countRestart();
      this.#options.telemetry.restarted("move", false);
    }
    journal.setState("starting", reason);
  }

  /** Why a recovering run waits for slots. */
  waiting(reason: string): void {
    if (this.facts.reason !== reason) this.#context.journal.update({ reason });
  }

  /** How many ranks the run may have from now on. */
  bounds(minRanks: number, maxRanks: number): void {
    this.#context.journal.update({ minRanks, maxRanks });
  }

  /** Ends the run, after a checkpoint or at once; asking for the same again changes nothing. */
  stop(checkpoint: boolean): void {
    if (this.isEnded() || (checkpoint && this.#intent?.kind === "stop")) return;
    this.#intent = { kind: "stop", checkpoint };
    const { journal, recorder } = this.#context;
    const how = checkpoint ? "after a checkpoint" : "at once";
    // What waits for the disk may be that checkpoint.
    const now = checkpoint && recorder.problem ? "; --now ends it at once" : "";
    journal.update({ recordsWait: recorder.problem });
    journal.setState("stopping", `asked to stop ${how}${now}`);
    if (!checkpoint) recorder.giveUp();
    this.#endRanks(checkpoint);
  }

  /** Has the ranks end behind a checkpoint, for the run to wait: until resumed, or for slots. */
  suspend(then: "suspended" | "queued", reason: string): void {
    if (this.isEnded() || (this.#intent && this.#intent.kind !== "move")) return;
    this.#intent = { kind: "suspend", then, reason };
    this.#context.journal.setState("suspending", reason);
    this.#endRanks(true);
  }

  /** Has the ranks go on in other slots, behind a checkpoint. False if it cannot just now. */
  move(placed: readonly Placed[], reason: string): boolean {
    if (this.#context.journal.state !== "running" || this.#intent) return false;
    this.#intent = { kind: "move", placed, reason };
    this.#context.journal.event("run.moving", reason);
    this.#endRanks(true);
    return true;
  }

  saveCheckpoint(): void {
    this.#generation?.saveCheckpoint();
  }

  /** Lets go of the run without touching its ranks: another coordinator leads. */
  detach(): void {
    if (this.#isOver) return;
    this.#detached = true;
    this.#generation?.close();
    this.#abort.abort();
    this.#context.recorder.close();
  }

  // --- the run's life ---

  /** Carries the run out on these slots, to its end or until it waits again. */
  carryOut(placed: readonly Placed[]): Promise<RunEnd> {
    return this.#live(() => this.#begin(placed));
  }

  /** Goes on where another coordinator was: with the ranks that run, or with their recovery. */
  adopt(life: RunLife, generation: number): Promise<RunEnd> {
    return this.#live(async () => {
      if (life.state === "recovering" || life.placed.length === 0) return this.#findSlots();
      return this.#run(adoptGeneration(this.#context, life, generation));
    });
  }

  async #live(first: () => Promise<Decision>): Promise<RunEnd> {
    const { recorder } = this.#context;
    try {
      let decision = await this.#unlessGivenUp(first);
      for (;;) {
        const end = await this.#afterwards(decision);
        if (end) return end;
        decision = await this.#unlessGivenUp(() => this.#again());
      }
    } catch (error) {
      if (this.#detached) throw error;
      // What stopped the run may also keep its end from being written: the cause is told.
      const reason = (error as Error).message;
      const { exitCode } =
        error instanceof MoestroError ? error : { exitCode: EXIT_CODES.run_failed };
      if (!this.isEnded()) await this.#conclude("failed", reason, exitCode).catch(() => {});
      throw error;
    } finally {
      this.#isOver = true;
      if (!this.#detached) recorder.close();
    }
  }

  /** A run that is to end at once does not wait for what cannot be recorded. */
  async #unlessGivenUp(body: () => Promise<Decision>): Promise<Decision> {
    try {
      return await body();
    } catch (error) {
      if (!(error instanceof WriteError) || this.#intent?.kind !== "stop") throw error;
      return { decision: "stop", reason: `stopped before all was recorded: ${error.problem}` };
    }
  }

  /** The run's end, if it has come; undefined if ranks are to be started again. */
  async #afterwards(decision: Decision): Promise<RunEnd | undefined> {
    const { journal, job } = this.#context;
    const intent = this.#intent;
    const { reason } = decision;
    if (decision.decision === "succeed") return this.#conclude("succeeded", reason);
    if (journal.facts.checkpointStep >= job.training.steps) {
      const done = `all ${job.training.steps} steps are done and kept; then ${reason}`;
      return this.#conclude("succeeded", done);
    }
    if (intent?.kind === "suspend") return this.#wait(intent.then, intent.reason);
    if (decision.decision === "stop") return this.#stopped(reason);
    const code = decision.cause === "user" ? EXIT_CODES.invalid_input : EXIT_CODES.run_failed;
    if (intent?.kind === "stop") return this.#conclude("failed", reason, code);
    const failure = this.#failureOf(decision);
    const { spec, telemetry } = this.#options;
    const recovery = this.#tally.failed(journal.facts.generation, failure, spec.maxRestarts);
    if (recovery.decision === "give-up") {
      return this.#conclude("failed", recovery.reason, recovery.stuck ? EXIT_CODES.stuck : code);
    }
    this.#cause = failure.cause;
    telemetry.restarted(failure.cause, recovery.counts);
    this.#intent = undefined;
    journal.update({ countedRestarts: this.#tally.countedRestarts });
    journal.setState("recovering", recovery.reason);
    return undefined;
  }

  /** The ranks have ended as they were asked to. */
  async #stopped(reason: string): Promise<RunEnd | undefined> {
    const { journal } = this.#context;
    if (this.#intent?.kind === "move") return undefined;
    if (this.#intent?.kind === "stop" || journal.state === "stopping") {
      return this.#conclude("stopped", reason);
    }
    // Asked by a coordinator that did not live to see it: to make room, or to move.
    if (journal.state === "suspending") return this.#wait("queued", journal.facts.reason);
    journal.setState("recovering", `${reason}, for a move that its coordinator did not see`);
    return undefined;
  }

  #countRestart(): void {
    this.#tally.restarts += 1;
    this.#context.journal.update({ restarts: this.#tally.restarts });
  }

  #again(): Promise<Decision> {
    this.#countRestart();
    const intent = this.#intent;
    if (intent?.kind !== "move") return this.#findSlots();
    this.#intent = undefined;
    this.#cause = "move";
    this.#options.telemetry.restarted("move", false);
    this.#context.journal.setState("starting", intent.reason);
    return this.#begin(intent.placed);
  }

  async #findSlots(): Promise<Decision> {
    let placed: readonly Placed[];
    try {
      placed = await this.#options.slots.next(this.runId, this.#abort.signal);
    } catch (error) {
      // Asked to stop or to wait while there was nothing to start on.
      if (this.#intent) return { decision: "stop", reason: "stopped while it waited for slots" };
      throw error;
    }
    this.#context.journal.setState("starting", describePlaced(placed));
    return this.#begin(placed);
  }

  async #begin(placed: readonly Placed[]): Promise<Decision> {
    return this.#run(await prepareGeneration(this.#context, placed));
  }

  /** Runs one generation to its end. */
  async #run(prepared: PreparedGeneration): Promise<Decision> {
    const { runId, held, fleet, journal, recorder, law, job } = this.#context;
    const { number, placed, plan, restore, controllers, superseded, recordedStep } = prepared;
    this.#fromStep = restore?.manifest.step ?? 0;
    this.#placed = placed;
    this.#plan = toJson(PlanSchema, plan);
    this.#tally.stepsLost += superseded.numSteps;
    this.#options.telemetry.lostSteps(superseded.numSteps);
    this.#recovery?.mark("plan");
    const checkpointStep = restore?.manifest.step ?? 0;
    journal.update({
      ...{
        generation: number,
        plan,
        checkpointStep,
        ranks: new Map(),
        stepsLost: this.#tally.stepsLost,
      },
      ...{ last: recorder.steps.last, validationLoss: soFarOf(recorder.steps.last).validationLoss },
    });
    // What is taken over is stored already, and its agents may be here any moment.
    if (!prepared.adopt) await this.#store();
    const records = new GenerationRecords({
      ...{ journal, recorder, plan, controlLaw: law },
      controllers,
      telemetry: this.#options.telemetry,
      checkpointEverySteps: job.checkpoint.everySteps,
      commit: (...committed) => commitCheckpoint(this.#context, prepared, ...committed),
      expectedSourceHash: restore?.manifest.sourceHash,
      adopted: prepared.adopt,
      started: () => this.#recovery?.mark("start"),
      joined: () => this.#recovery?.mark("rendezvous"),
      running: (nextStep) => this.#running(nextStep),
      stepped: (step) => this.#stepped(step, prepared),
    });
    const generation = new Generation(
      {
        fence: { runId, generation: BigInt(number), coordinatorEpoch: BigInt(held.epoch) },
        ...{ fleet, job: prepared.engineJob, plan, placed, restore, recordedStep, checkpointStep },
        coefficients: controllers.at(-1)?.scheduled.map(coefficientsMessage) ?? [],
        collectiveTimeoutMs: COLLECTIVE_TIMEOUT_MS,
        networkInterface: this.#options.networkInterface,
        logDirectory: this.#context.directory.logs(number),
        adopt: prepared.adopt,
      },
      records,
    );
    this.#generation = generation;
    const intent = this.#intent;
    if (intent) this.#endRanks(intent.kind !== "stop" || intent.checkpoint);
    try {
      const decision = await generation.outcome;
      await this.#dismiss(generation, decision);
      this.#recovery = new RecoveryTimes(this.#lastStepAtMs);
      this.#recovery.mark("detect", generation.evidenceAtMs);
      this.#recovery.mark("fence");
      return decision;
    } finally {
      this.#generation = undefined;
      this.#tally.trained(records);
    }
  }

  /**
   * Its agents forget what they told: first it is recorded, unless it is of no use any more.
   * Until then it is the generation that another coordinator would take over, for what waits
   * may be a checkpoint that only they could tell of again, or the run's last.
   */
  async #dismiss(generation: Generation, { decision, reason }: Decision): Promise<void> {
    const { journal, recorder } = this.#context;
    const atOnce = this.#intent?.kind === "stop" && !this.#intent.checkpoint;
    if (decision === "fail" && recorder.problem && journal.state === "running") {
      // Nothing trains any more.
      const told = `${reason}; ${describeWait(recorder.problem, "recovering")}`;
      journal.update({ reason: told, recordsWait: undefined });
    }
    try {
      if (!atOnce) await recorder.written();
    } finally {
      if (!this.#detached) generation.dismiss();
    }
  }

  #endRanks(checkpoint: boolean): void {
    if (this.#generation) this.#generation.stop(checkpoint);
    else this.#abort.abort();
  }

  #failureOf({ cause = "rank", reason }: Decision): Failure {
    const { recorder } = this.#context;
    const lastStep = recorder.steps.last?.step ?? 0;
    return { cause, reason, fromStep: this.#fromStep, lastStep };
  }

  #running(nextStep: number): void {
    const { journal, fleet, job } = this.#context;
    this.#lastStepAtMs = performance.now();
    this.#runningAtMs = this.#lastStepAtMs;
    this.#recovery?.mark("load");
    if (this.#tally.firstStepAtMs === 0) this.#tally.firstStepAtMs = Date.now();
    const isOnGpus = job.cluster.device !== "cpu";
    journal.update({ peakFlops: isOnGpus ? peakFlops(this.#placed, fleet) : undefined });
    if (journal.state !== "starting" && journal.state !== "recovering") return;
    journal.setState("running", `all ranks stand, training begins with step ${nextStep}`);
  }

  #stepped(step: number, { restore, superseded }: PreparedGeneration): void {
    const { journal, recorder } = this.#context;
    this.#lastStepAtMs = performance.now();
    const elapsedMs = Date.now() - this.#tally.firstStepAtMs;
    journal.update({ goodput: Math.min(1, recorder.steps.totalMs / Math.max(1, elapsedMs)) });
    if (!this.#recovery || this.#tally.restarts === 0) return;
    this.#recovery.mark("firstStep");
    const { seconds, totalSeconds } = this.#recovery;
    this.#recovery = undefined;
    const { telemetry, trace } = this.#options;
    telemetry.recovered(seconds);
    const { generation } = journal.facts;
    trace({ runId: this.runId, generation, cause: this.#cause, endMs: Date.now(), seconds });
    proveRecovery(this.#context, step, { restore, superseded }, { seconds, totalSeconds });
  }

  async #store(): Promise<void> {
    const { store, held, journal } = this.#context;
    const { state, reason } = journal.facts;
    await store.setLife(this.runId, held, this.life(state, reason));
  }

  /** The run gives its slots back and waits. */
  async #wait(state: "suspended" | "queued", reason: string): Promise<RunEnd> {
    const { journal } = this.#context;
    this.#placed = [];
    journal.setState(state, reason);
    await journal.stored;
    return { state, reason, exitCode: 0, summary: undefined };
  }

  #conclude(state: RunOutcome, reason: string, exitCode = 0): Promise<RunEnd> {
    this.#placed = [];
    return concludeRun(this.#context, this.#tally, { state, reason, exitCode });
  }
}

function describePlaced(placed: readonly Placed[]): string {
  const told = placed.map(({ agentId, slots }) => `${slots.length} on agent ${agentId}`);
  return `starting ranks: ${told.join(", ")}`;
}
