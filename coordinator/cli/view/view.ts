import type { Plan } from "../../../proto/gen/moestro/v1/plan_pb.js";
import type { RunStatus } from "../../../proto/gen/moestro/v1/run_pb.js";
import type { EventRecord, MetricsRecord, SummaryRecord } from "../../report/records.ts";
import { JsonView } from "./json-view.ts";
import { LiveView } from "./live-view.ts";
import { PlainView } from "./plain-view.ts";
import type { Environment, ViewMode } from "./terminal.ts";

/** What a run tells whoever watches it. No method throws or waits. */
export type View = {
  status(status: RunStatus): void;
  step(record: MetricsRecord): void;
  event(record: EventRecord): void;
  summary(record: SummaryRecord): void;
  /** Draws what is left and gives the terminal back. Safe to repeat. */
  close(): void;
};

export type ViewOptions = {
  stream: NodeJS.WriteStream;
  mode: ViewMode;
  /** The job's name. */
  name: string;
  plan: Plan;
  /** Where NO_COLOR and the locale are looked up; the process's by default. */
  env?: Environment;
  /** Plain mode: least time between two step lines, 5 s by default. */
  intervalMs?: number;
  /** Plain mode: a line every so many steps, in the place of a time. */
  everySteps?: number;
};

/** A view of one run; `chooseMode` says which mode fits a stream. */
export function createView(options: ViewOptions): View {
  const env = options.env ?? process.env;
  switch (options.mode) {
    case "live":
      return new LiveView({ ...options, env });
    case "plain":
      return new PlainView({ ...options, env });
    case "json":
      return new JsonView(options.stream);
  }
}
