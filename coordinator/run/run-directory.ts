import { join } from "node:path";

/** Where the files of one run lie. */
export class RunDirectory {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** The job file as it was when the run was last started. */
  get job(): string {
    return join(this.path, "job.yaml");
  }

  get plan(): string {
    return join(this.path, "plan.json");
  }

  get metrics(): string {
    return join(this.path, "metrics.jsonl");
  }

  /** Steps that were trained after the checkpoint a run was resumed from. */
  get supersededMetrics(): string {
    return join(this.path, "metrics.superseded.jsonl");
  }

  get events(): string {
    return join(this.path, "events.jsonl");
  }

  get summary(): string {
    return join(this.path, "summary.json");
  }

  get report(): string {
    return join(this.path, "report.html");
  }

  get timeline(): string {
    return join(this.path, "timeline.json");
  }

  /** Where and by whom the run's coordinator can be reached while it lives. */
  get endpoint(): string {
    return join(this.path, "endpoint.json");
  }

  get checkpoints(): string {
    return join(this.path, "checkpoints");
  }

  /** The logs of one generation: the agent's and one a rank. */
  logs(generation: number): string {
    return join(this.path, "logs", `generation-${generation}`);
  }
}
