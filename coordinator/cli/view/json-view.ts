import type { EventRecord, MetricsRecord, SummaryRecord } from "../../report/records.ts";
import { Output } from "./output.ts";
import type { View } from "./view.ts";

/** One JSON object a line, for programs: every step, every event, the summary. */
export class JsonView implements View {
  readonly #output: Output;

  constructor(stream: NodeJS.WriteStream) {
    this.#output = new Output(stream);
  }

  /** A program puts the status together from steps and events. */
  status(): void {}

  step(record: MetricsRecord): void {
    this.#write("step", record);
  }

  event(record: EventRecord): void {
    this.#write("event", record);
  }

  summary(record: SummaryRecord): void {
    this.#write("summary", record);
  }

  close(): void {}

  #write(type: "step" | "event" | "summary", record: object): void {
    // First, to be seen; and again, so that no detail of an event hides it.
    this.#output.write(`${JSON.stringify(Object.assign({ type }, record, { type }))}\n`);
  }
}
