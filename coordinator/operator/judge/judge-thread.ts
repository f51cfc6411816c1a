import { WorkerCalls } from "../../worker-calls.ts";
import type { ObservedJob, Verdict } from "../reconcile/observation.ts";

export type Question = { folder: string } & Pick<ObservedJob, "metadata" | "spec">;

const OPTIONS = { idleMs: 60_000, mostMs: 120_000 };

/** Judges specs in a thread of its own: a plan for many GPUs takes seconds. */
export class JudgeThread {
  private readonly folder: string;
  private readonly calls = new WorkerCalls<Question, Verdict>(
    new URL("./judge-thread-main.ts", import.meta.url),
    OPTIONS,
  );

  /** @param folder where relative paths of specs begin */
  constructor(folder: string) {
    this.folder = folder;
  }

  judge({ metadata, spec }: Pick<ObservedJob, "metadata" | "spec">): Promise<Verdict> {
    return this.calls.ask({ folder: this.folder, metadata, spec });
  }

  close(): void {
    this.calls.close("the operator ends");
  }
}
