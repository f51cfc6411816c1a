import type { RankExited } from "../../proto/gen/moestro/v1/agent_pb.js";
import type { Plan } from "../../proto/gen/moestro/v1/plan_pb.js";
import type { Coefficients } from "../../proto/gen/moestro/v1/rank_pb.js";
import type {
  CheckpointShards,
  DataPrepared,
  Sample,
  StepReport,
} from "../../proto/gen/moestro/v1/report_pb.js";
import {
  type ControllerOptions,
  type ControllerState,
  changesByStep,
  effective,
} from "../controller/controller.ts";
import { coefficientsMessage } from "../controller/message.ts";
import { MoestroError } from "../errors.ts";
import type { AgentVerdict } from "../fleet/agent-health.ts";
import type { Telemetry } from "../observability/telemetry.ts";
import { ControllerHistory } from "./controller-history.ts";
import { statesBehind } from "./controller-marks.ts";
import { WriteError } from "./files.ts";
import type { GenerationEvents } from "./generation-events.ts";
import { metricsRecord, timelineRecord } from "./metrics.ts";
import type { Recorder } from "./recorder.ts";
import type { RunJournal } from "./run-journal.ts";
import type { RankFacts } from "./run-status.ts";

/** Weight of the newest step in the smoothed step time that the ETA is made of. */
const STEP_TIME_WEIGHT = 0.1;

export type GenerationRecordsOptions = {
  journal: RunJournal;
  recorder: Recorder;
  plan: Plan;
  /** The controller's last states: the newest is of the step that the ranks go on behind. */
  controllers: readonly ControllerState[];
  controlLaw: ControllerOptions;
  /** Steps between checkpoints; 0 writes one at the end only. */
  checkpointEverySteps: number;
  telemetry: Telemetry;
  /** Commits what the ranks wrote of a step, with the controller's state behind that step. */
  commit(shards: CheckpointShards, controller: ControllerState, sourceHash: string): void;
  /** The text's hash if the run goes on from a checkpoint: it must not have changed. */
  expectedSourceHash: string | undefined;
  /** The ranks ran before this coordinator led. */
  adopted: boolean;
  /** The last of the ranks' processes has started. */
  started(): void;
  /** All of them have met. */
  joined(): void;
  /** All ranks stand and begin with this step. */
  running(nextStep: number): void;
  /** After every step, with the newest. */
  stepped(step: number): void;
};

/**
 * Takes in what one generation tells: closes the loop through the controller, and
 * writes the records.
 */
export class GenerationRecords implements GenerationEvents {
  readonly #options: GenerationRecordsOptions;
  readonly #journal: RunJournal;
  readonly #controller: ControllerHistory;
  readonly #ranks = new Map<number, RankFacts>();
  #stepMs: number | undefined;
  #firstStepAtMs = 0;
  #lastStepAtMs = 0;
  #numSteps = 0;
  #numTokens = 0;
  #checkpointStep: number;
  #sourceHash = "";

  constructor(options: GenerationRecordsOptions) {
    this.#options = options;
    this.#journal = options.journal;
    const [first, ...others] = options.controllers;
    if (!first) throw new Error("there is no state of the controller to go on with");
    this.#checkpointStep = options.journal.facts.checkpointStep;
    this.#controller = new ControllerHistory(first, options.checkpointEverySteps);
    for (const state of others) this.#controller.add(state);
  }

  get numSteps(): number {
    return this.#numSteps;
  }

  get numTokens(): number {
    return this.#numTokens;
  }

  /** From the moment that all ranks stood to the last step. */
  get trainMs(): number {
    return this.#numSteps > 0 ? this.#lastStepAtMs - this.#firstStepAtMs : 0;
  }

  // --- GenerationEvents ---

  get written() {
    return { step: this.#options.recorder.steps.writtenStep, checkpointStep: this.#checkpointStep };
  }

  rankStarted(rank: number, pid: number, agentId: string): void {
    // The same map again and again: there may be thousands of ranks.
    this.#journal.update({ ranks: this.#ranks.set(rank, { rank, pid, agentId }) });
    const { adopted, plan, started } = this.#options;
    const details = { rank, pid, agent: agentId };
    const where = `as process ${pid} of agent ${agentId}`;
    if (adopted) this.#journal.event("rank.adopted", `rank ${rank} goes on ${where}`, details);
    else this.#journal.event("rank.started", `rank ${rank} started ${where}`, details);
    if (this.#ranks.size === plan.worldSize) started();
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
    if (this.#options.adopted) return;
    const [train, validation] = [Number(data.trainTokens), Number(data.validationTokens)];
    this.#journal.event(
      "data.prepared",
      `${train.toLocaleString("en")} training tokens in ${trainFiles} files, ` +
        `${validation.toLocaleString("en")} for validation in ${validationFiles} files` +
        `${reused ? ", tokenised before" : ""}`,
      { trainTokens: train, validationTokens: validation, trainFiles, validationFiles, sourceHash },
    );
  }

  joined(): void {
    this.#options.joined();
  }

  running(nextStep: number): void {
    this.#firstStepAtMs = performance.now();
    this.#options.running(nextStep);
  }

  step(report: StepReport): Coefficients | undefined {
    const record = metricsRecord(report, new Date());
    this.#numSteps += Math.max(1, report.numSteps);
    this.#numTokens += Number(report.lossTokens);
    this.#lastStepAtMs = performance.now();
    const weight = this.#stepMs === undefined ? 1 : STEP_TIME_WEIGHT;
    this.#stepMs = (this.#stepMs ?? 0) * (1 - weight) + record.stepMs * weight;
    const { validationLoss } = record;
    this.#journal.step(record, {
      stepMs: this.#stepMs,
      lateControlValues: Number(report.lateControlValues),
      ...(validationLoss === undefined ? {} : { validationLoss }),
    });
    const { recorder } = this.#options;
    for (const state of statesBehind(this.#options.controlLaw, this.#controller.newest, record)) {
      this.#controller.add(state);
    }
    recorder.steps.add(report, record, this.#controller.newest);
    const timeline = timelineRecord(report);
    if (timeline) recorder.steps.timeline(timeline);
    this.#options.telemetry.stepReported();
    this.#options.stepped(record.step);
    if (!changesByStep(this.#options.controlLaw.balancing)) return undefined;
    return coefficientsMessage(effective(this.#controller.newest));
  }

  controlled(latencyMs: number): void {
    this.#options.telemetry.controlled(latencyMs);
  }

  coefficients(): Coefficients[] {
    if (!changesByStep(this.#options.controlLaw.balancing)) return [];
    return this.#controller.newest.scheduled.map(coefficientsMessage);
  }

  checkpointWritten(shards: CheckpointShards): void {
    const step = Number(shards.step);
    const controller = this.#controller.take(step);
    if (!controller) {
      this.#notCommitted(step, "the controller's state behind it is not known any more");
      return;
    }
    // In its turn: until the disk takes it the ranks' files stay, and the one before is the newest.
    this.#options.recorder.write(() => this.#commit(shards, controller));
  }

  #commit(shards: CheckpointShards, controller: ControllerState): void {
    const step = Number(shards.step);
    try {
      this.#options.commit(shards, controller, this.#sourceHash);
    } catch (error) {
      if (!(error instanceof WriteError && error.isGone)) throw error;
      this.#notCommitted(step, error.problem);
      return;
    }
    this.#checkpointStep = step;
    this.#journal.update({ checkpointStep: step });
    this.#journal.event("checkpoint.committed", `checkpoint of step ${step} is committed`, {
      step,
      files: shards.files.length,
      bytes: shards.files.reduce((total, file) => total + Number(file.sizeBytes), 0),
    });
  }

  #notCommitted(step: number, why: string): void {
    const message = `the checkpoint of step ${step} is not committed: ${why}`;
    this.#journal.event("checkpoint.not-committed", message, { step });
  }

  sampled(sample: Sample): void {
    if (sample.skipped) {
      this.#journal.event("model.notSampled", sample.skipped);
      return;
    }
    // A sample may end inside a character, and a poor model writes what is none.
    const text = Buffer.concat([sample.prompt, sample.text]).toString("utf8");
    this.#journal.update({ sample: text });
    const message = `sampled ${sample.text.length} bytes from the trained model`;
    this.#journal.event("model.sampled", message);
  }

  rankExited({ rank, exitCode, signal, failure, finished, stderrTail }: RankExited): void {
    if (exitCode === 0 && finished) return;
    const code = exitCode === undefined ? "" : ` with exit code ${exitCode}`;
    const how = signal === "" ? code : ` by ${signal}`;
    const said = failure ? `: ${failure.message}` : "";
    this.#journal.event("rank.ended", `rank ${rank} ended${how}${said}`, {
      ...{ rank, exitCode: exitCode ?? null, signal, stderr: stderrTail },
    });
  }

  agentJudged(agentId: string, verdict: AgentVerdict["verdict"], reason: string): void {
    this.#journal.event(`agent.${verdict}`, reason, { agent: agentId });
  }

  hanging(reason: string): void {
    this.#journal.event("run.hanging", reason);
  }

  stack(rank: number, lines: readonly string[]): void {
    const message = `the stacks of rank ${rank}, ${lines.length} lines`;
    this.#journal.event("rank.stack", message, { rank, lines });
  }

  straggler(message: string, details: Record<string, unknown>): void {
    this.#journal.event("rank.slow", message, details);
  }

  failing(reason: string): void {
    this.#journal.event("run.failing", `${reason}; ending all ranks`);
  }
}
