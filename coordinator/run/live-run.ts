import type { Plan } from "../../proto/gen/moestro/v1/plan_pb.js";
import type { Coefficients } from "../../proto/gen/moestro/v1/rank_pb.js";
import type {
  CheckpointShards,
  DataPrepared,
  Sample,
  StepReport,
} from "../../proto/gen/moestro/v1/report_pb.js";
import type { RunStatus } from "../../proto/gen/moestro/v1/run_pb.js";
import {
  type ControllerOptions,
  type ControllerState,
  changesByStep,
  effective,
  fold,
} from "../controller/controller.ts";
import { coefficientsMessage } from "../controller/message.ts";
import { MoestroError } from "../errors.ts";
import type { EventRecord, MetricsRecord } from "../report/records.ts";
import { holderOf } from "../store/holder.ts";
import type { Holder } from "../store/run-store.ts";
import { ControllerHistory } from "./controller-history.ts";
import type { GenerationEvents } from "./generation.ts";
import { metricsRecord, timelineRecord } from "./metrics.ts";
import type { Recorder } from "./recorder.ts";
import { canTransition, isEnded, type RunState } from "./run-state.ts";
import { runStatus } from "./run-status.ts";

/** Weight of the newest step in the smoothed step time that the ETA is made of. */
const STEP_TIME_WEIGHT = 0.1;

/** Whoever shows a run to people or programs. */
export type RunObserver = {
  status(status: RunStatus): void;
  step(record: MetricsRecord): void;
  event(record: EventRecord): void;
};

export type LiveRunOptions = {
  runId: string;
  generation: number;
  totalSteps: number;
  plan: Plan;
  /** The step the ranks begin behind: 0, or a checkpoint's. */
  lastStep: number;
  controller: ControllerState;
  /** Steps between checkpoints; 0 writes one at the end only. */
  checkpointEverySteps: number;
  controlLaw: ControllerOptions;
  recorder: Recorder;
  observer: RunObserver;
  /** Commits what the ranks wrote of a step, with the controller's state behind that step. */
  commit(shards: CheckpointShards, controller: ControllerState, sourceHash: string): void;
  /** The text's hash if the run goes on from a checkpoint: it must not have changed. */
  expectedSourceHash: string | undefined;
  /** Stores a change of state. */
  stateChanged(state: RunState, reason: string): Promise<void>;
};

/**
 * A run while it is carried out: takes in what its generation tells, closes the
 * loop through the controller, writes the records and keeps the status.
 */
export class LiveRun implements GenerationEvents {
  readonly runId: string;
  /** The rank processes, as they were when they started. */
  readonly ranks = new Map<number, Holder>();
  readonly #options: LiveRunOptions;
  #state: RunState = "starting";
  #reason = "starting the agent and its ranks";
  readonly #controller: ControllerHistory;
  #last: MetricsRecord | undefined;
  #validationLoss: number | undefined;
  #stepMs: number | undefined;
  #checkpointStep: number;
  #status: RunStatus;
  #sample: string | null = null;
  #numSteps = 0;
  #lateControlValues = 0;
  #firstStepAtMs = 0;
  #lastStepAtMs = 0;
  #sourceHash = "";
  #stored: Promise<void> = Promise.resolve();

  constructor(options: LiveRunOptions) {
    this.runId = options.runId;
    this.#options = options;
    this.#controller = new ControllerHistory(options.controller, options.checkpointEverySteps);
    this.#checkpointStep = options.lastStep;
    this.#status = this.#assembleStatus();
  }

  status(): RunStatus {
    return this.#status;
  }

  isEnded(): boolean {
    return isEnded(this.#state);
  }

  /** Settles when all changes of state so far are stored; rejects if one could not be. */
  get stored(): Promise<void> {
    return this.#stored;
  }

  /** What the summary needs and only this object saw. */
  get figures() {
    const trainMs = this.#lastStepAtMs - this.#firstStepAtMs;
    return {
      sample: this.#sample,
      numStepsHere: this.#numSteps,
      trainSeconds: this.#numSteps > 0 ? trainMs / 1000 : null,
      lateControlValues: this.#lateControlValues,
      checkpointStep: this.#checkpointStep,
    };
  }

  setState(state: RunState, reason: string): void {
    if (state !== this.#state && !canTransition(this.#state, state)) {
      throw new Error(`a run cannot go from ${this.#state} to ${state}`);
    }
    this.#state = state;
    this.#reason = reason;
    // One failure must not keep later states from being stored.
    this.#stored = this.#stored
      .catch(() => {})
      .then(() => this.#options.stateChanged(state, reason));
    // Whoever awaits `stored` hears of a failure; until then it is not an orphan.
    this.#stored.catch(() => {});
    this.event(`run.${state}`, reason);
    this.#publishStatus();
  }

  event(event: string, message: string, details: Record<string, unknown> = {}): void {
    const record = { time: new Date().toISOString(), event, message, ...details };
    this.#options.observer.event(record);
    try {
      this.#options.recorder.event(record);
    } catch (error) {
      if (!(error instanceof MoestroError)) throw error;
      // Events come from timers and signals too, where nobody could take a failure.
      // A disk that takes no event takes no step either, and that ends the run.
    }
  }

  // --- GenerationEvents ---

  rankStarted(rank: number, pid: number): void {
    const holder = holderOf(pid);
    if (holder) this.ranks.set(rank, holder);
    this.event("rank.started", `rank ${rank} started as process ${pid}`, { rank, pid });
  }

  dataPrepared(data: DataPrepared): void {
    const { trainFiles, validationFiles, sourceHash, reused } = data;
    const { expectedSourceHash } = this.#options;
    if (expectedSourceHash !== undefined && expectedSourceHash !== sourceHash) {
      throw new MoestroError(
        "invalid_input",
        "data: the text has changed since the checkpoint was written, so the data order would too; put it back, or start a new run",
      );
    }
    this.#sourceHash = sourceHash;
    const [train, validation] = [Number(data.trainTokens), Number(data.validationTokens)];
    this.event(
      "data.prepared",
      `${train.toLocaleString("en")} training tokens in ${trainFiles} files, ` +
        `${validation.toLocaleString("en")} for validation in ${validationFiles} files` +
        `${reused ? ", tokenised before" : ""}`,
      { trainTokens: train, validationTokens: validation, trainFiles, validationFiles, sourceHash },
    );
  }

  running(nextStep: number): void {
    this.#firstStepAtMs = performance.now();
    if (this.#state === "starting") {
      this.setState("running", `all ranks stand, training begins with step ${nextStep}`);
    }
  }

  step(report: StepReport): Coefficients | undefined {
    const record = metricsRecord(report, new Date());
    this.#options.recorder.step(record);
    this.#numSteps += 1;
    this.#lastStepAtMs = performance.now();
    this.#lateControlValues = Number(report.lateControlValues);
    this.#last = record;
    this.#validationLoss = record.validationLoss ?? this.#validationLoss;
    const weight = this.#stepMs === undefined ? 1 : STEP_TIME_WEIGHT;
    this.#stepMs = (this.#stepMs ?? 0) * (1 - weight) + record.stepMs * weight;
    const { controlLaw } = this.#options;
    const { newest } = this.#controller;
    this.#controller.add(fold(controlLaw, newest, record.step, record.layers));
    this.#publishStatus();
    this.#options.observer.step(record);
    const timeline = timelineRecord(report);
    if (timeline) this.#options.recorder.timeline(timeline);
    if (!changesByStep(controlLaw.balancing)) return undefined;
    return coefficientsMessage(effective(this.#controller.newest));
  }

  checkpointWritten(shards: CheckpointShards): void {
    const step = Number(shards.step);
    this.#options.commit(shards, this.#controller.take(step), this.#sourceHash);
    this.#checkpointStep = step;
    this.event("checkpoint.committed", `checkpoint of step ${shards.step} is committed`, {
      step: this.#checkpointStep,
      files: shards.files.length,
      bytes: shards.files.reduce((total, file) => total + Number(file.sizeBytes), 0),
    });
    this.#publishStatus();
  }

  sampled(sample: Sample): void {
    if (sample.skipped) {
      this.event("model.notSampled", sample.skipped);
      return;
    }
    // A sample may end inside a character, and a poor model writes what is none.
    const text = Buffer.concat([sample.prompt, sample.text]).toString("utf8");
    this.#sample = text;
    this.event("model.sampled", `sampled ${sample.text.length} bytes from the trained model`);
  }

  refusedStale(agentId: string, kind: string): void {
    this.event("message.refused", `a stale message (${kind}) of agent ${agentId} was refused`);
  }

  agentSilent(agentId: string, isSilent: boolean): void {
    const message = isSilent
      ? `waiting for agent ${agentId}: nothing heard of it for 10 s; its ranks go on`
      : `agent ${agentId} is heard of again`;
    this.event(isSilent ? "agent.silent" : "agent.heard", message);
  }

  failing(reason: string): void {
    this.event("run.failing", `${reason}; ending all ranks`);
  }

  #publishStatus(): void {
    this.#status = this.#assembleStatus();
    this.#options.observer.status(this.#status);
  }

  #assembleStatus(): RunStatus {
    const { runId, generation, totalSteps, plan } = this.#options;
    return runStatus({
      ...{ runId, generation, totalSteps, plan },
      state: this.#state,
      reason: this.#reason,
      last: this.#last,
      validationLoss: this.#validationLoss,
      stepMs: this.#stepMs,
      checkpointStep: this.#checkpointStep,
    });
  }
}
