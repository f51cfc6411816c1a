import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { RecoverySeconds } from "../run/recovery-times.ts";
import { addEventLoopLag } from "./event-loop-lag.ts";
import { addStateGauges } from "./state-gauges.ts";
import type { RestartCause, ServiceState, Telemetry } from "./telemetry.ts";

/** From ranks that are forked again to a wait for new nodes. */
const RECOVERY_BUCKETS_S = [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 60, 300, 1800];
/** From at once to days. */
const WAIT_BUCKETS_S = [0.1, 1, 5, 15, 60, 300, 1800, 7200, 43_200, 172_800];
/** Around the 50 ms and 200 ms that control is to take at the most. */
const CONTROL_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 5];

/**
 * A coordinator's metrics for Prometheus, in a registry of their own. Counters of labels
 * known beforehand begin at 0, so that the first restart is seen as an increase.
 */
export class Metrics implements Telemetry {
  readonly #registry = new Registry();
  readonly #restarts: Counter<"cause" | "counted">;
  readonly #falseRestarts: Counter;
  readonly #recoverySeconds: Histogram<"stage">;
  readonly #stepsLost: Counter;
  readonly #queueWait: Histogram;
  readonly #stepReports: Counter;
  readonly #controlLatency: Histogram;
  #state: (() => ServiceState) | undefined;

  constructor() {
    const registers = [this.#registry];
    const counter = (name: string, help: string) => new Counter({ name, help, registers });
    const histogram = (name: string, help: string, buckets: number[]) =>
      new Histogram({ name, help, buckets, registers });
    this.#restarts = new Counter({
      name: "moestro_restarts_total",
      help: "Starts of a run's ranks after the first, by cause, and whether it counts against the limit.",
      labelNames: ["cause", "counted"],
      registers,
    });
    for (const [cause, counted] of KNOWN_RESTARTS) this.#restarts.inc({ cause, counted }, 0);
    this.#falseRestarts = counter(
      "moestro_false_restarts_total",
      "Restarts for a lost agent that came back with its ranks alive.",
    );
    this.#recoverySeconds = new Histogram({
      name: "moestro_recovery_stage_seconds",
      help: "Duration of each stage of a recovery, from the last step before to the first after.",
      labelNames: ["stage"],
      buckets: RECOVERY_BUCKETS_S,
      registers,
    });
    this.#stepsLost = counter(
      "moestro_steps_lost_total",
      "Steps that were trained and had to be trained again.",
    );
    this.#queueWait = histogram(
      "moestro_queue_wait_seconds",
      "Time runs waited for slots.",
      WAIT_BUCKETS_S,
    );
    this.#stepReports = counter(
      "moestro_step_reports_total",
      "Steps that all ranks of a run have reported.",
    );
    this.#controlLatency = histogram(
      "moestro_control_latency_seconds",
      "Time from the last report of a step to the coefficients that answer it.",
      CONTROL_BUCKETS_S,
    );
    addStateGauges(this.#registry, () => this.#state?.());
    addEventLoopLag(this.#registry);
    collectDefaultMetrics({ register: this.#registry });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All metrics in Prometheus' text format. */
  render(): Promise<string> {
    return this.#registry.metrics();
  }

  observe(state: () => ServiceState): void {
    this.#state = state;
  }

  /** @param state whether the operator here leads, and how long its watches have been silent */
  observeOperator(state: () => { leads: boolean; watchAgeSeconds: number }): void {
    const gauge = (name: string, help: string, value: () => number) =>
      new Gauge({
        ...{ name, help, registers: [this.#registry] },
        collect() {
          this.set(value());
        },
      });
    gauge("moestro_operator_leader", "1 while this operator carries out MoETrainingJobs.", () =>
      Number(state().leads),
    );
    gauge(
      "moestro_operator_watch_age_seconds",
      "Time since the API server last said something on the watch that is silent longest.",
      () => state().watchAgeSeconds,
    );
  }

  restarted(cause: RestartCause, counted: boolean): void {
    this.#restarts.inc({ cause, counted: String(counted) });
  }

  restartedFalsely(): void {
    this.#falseRestarts.inc();
  }

  recovered(seconds: RecoverySeconds): void {
    for (const [stage, span] of Object.entries(seconds)) {
      this.#recoverySeconds.observe({ stage }, span);
    }
  }

  lostSteps(count: number): void {
    this.#stepsLost.inc(count);
  }

  queueWaited(waitMs: number): void {
    this.#queueWait.observe(waitMs / 1000);
  }

  stepReported(): void {
    this.#stepReports.inc();
  }

  controlled(latencyMs: number): void {
    this.#controlLatency.observe(latencyMs / 1000);
  }
}

const KNOWN_RESTARTS: readonly [RestartCause, string][] = [
  ["rank", "true"],
  ["hang", "true"],
  ["agent", "false"],
  ["move", "false"],
];
