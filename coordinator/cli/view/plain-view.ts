import type { RunStatus } from "../../../proto/gen/moestro/v1/run_pb.js";
import { formatDuration } from "../../report/format.ts";
import type { EventRecord, MetricsRecord } from "../../report/records.ts";
import { figures, isEnded } from "./figures.ts";
import { Output } from "./output.ts";
import { hasUnicode } from "./terminal.ts";
import { sanitize, toAscii } from "./text.ts";
import type { View, ViewOptions } from "./view.ts";

/** Between two step lines, unless the caller says otherwise. */
const INTERVAL_MS = 5000;

export type PlainViewOptions = Pick<ViewOptions, "stream" | "intervalMs" | "everySteps"> & {
  env: NonNullable<ViewOptions["env"]>;
};

/** A line now and then and for every event, without escapes: logs and pipes. */
export class PlainView implements View {
  readonly #output: Output;
  readonly #intervalMs: number;
  readonly #everySteps: number | undefined;
  readonly #unicode: boolean;
  #status: RunStatus | undefined;
  #toldAtMs = Number.NEGATIVE_INFINITY;

  constructor({ stream, env, intervalMs, everySteps }: PlainViewOptions) {
    this.#output = new Output(stream);
    this.#intervalMs = intervalMs ?? INTERVAL_MS;
    this.#everySteps = everySteps;
    this.#unicode = hasUnicode(env);
  }

  status(status: RunStatus): void {
    this.#status = status;
  }

  step(record: MetricsRecord): void {
    const status = this.#status;
    if (status === undefined || !this.#isDue(record, status)) return;
    this.#toldAtMs = performance.now();
    this.#tell(record.time, stepLine(status, record));
  }

  event({ time, event, message }: EventRecord): void {
    this.#tell(time, `${sanitize(event)}: ${sanitize(message)}`);
  }

  /** Its figures were all told, and the run's end is an event. */
  summary(): void {}

  close(): void {}

  /** The first, the last and validated steps, the others by steps or by time. */
  #isDue(record: MetricsRecord, status: RunStatus): boolean {
    if (this.#toldAtMs === Number.NEGATIVE_INFINITY || record.validationLoss !== undefined) {
      return true;
    }
    if (status.step === status.totalSteps) return true;
    if (this.#everySteps !== undefined) return record.step % this.#everySteps === 0;
    return performance.now() - this.#toldAtMs >= this.#intervalMs;
  }

  #tell(time: string, text: string): void {
    const line = `${sanitize(time)} ${text}`;
    this.#output.write(`${this.#unicode ? line : toAscii(line)}\n`);
  }
}

function stepLine(status: RunStatus, record: MetricsRecord): string {
  const parts = figures(status, record)
    .filter(({ name }) => name !== "step")
    .map(({ name, value }) => `${name} ${value}`);
  const eta = isEnded(status) ? [] : [`ETA ${formatDuration(Number(status.etaMs))}`];
  return [`step ${status.step}/${status.totalSteps}`, ...parts, ...eta].join("  ");
}
