import { isEnded } from "../run/run-state.ts";
import type { RunAction, Runs, Wished } from "./job-looks.ts";
import { runWith } from "./reconcile/job-fixture.ts";
import type { ObservedRun } from "./reconcile/observation.ts";

/** A coordinator whose runs do nothing by themselves but what is wished for. */
export class PlayedRuns implements Runs {
  readonly wishes: RunAction[] = [];
  /** What is said to every wish, if that is not taken. */
  refusal: Extract<Wished, { kind: "refused" }> | undefined;
  private readonly runs = new Map<string, ObservedRun>();
  /** Tells of a job whose run is another now. */
  moved: (name: string) => void = () => {};

  async find(runId: string): Promise<ObservedRun | undefined> {
    return this.runs.get(runId);
  }

  async wish(action: RunAction): Promise<Wished> {
    this.wishes.push(action);
    const { refusal } = this;
    if (refusal !== undefined) return refusal;
    this.take(action);
    return { kind: "done" };
  }

  private take(action: RunAction): void {
    const { runId } = action;
    const run = this.runs.get(runId);
    if (action.kind === "submitRun") {
      const { minRanks, maxRanks } = action;
      this.put(runId, run ?? runWith({ minRanks, maxRanks }));
      return;
    }
    if (run === undefined || isEnded(run.state)) return;
    if (action.kind === "suspendRun") this.put(runId, { ...run, state: "suspended", numRanks: 0 });
    if (action.kind === "cancelRun") this.put(runId, { ...run, state: "stopped", numRanks: 0 });
    if (action.kind === "resumeRun") this.put(runId, { ...run, state: "queued" });
    if (action.kind === "scaleRun") {
      const { minRanks, maxRanks } = action;
      const numRanks = Math.min(run.numRanks, maxRanks);
      this.put(runId, { ...run, minRanks, maxRanks, numRanks });
    }
  }

  /** What was wished for a job's run, one word a wish. */
  wishesFor(name: string): string[] {
    return this.wishes.flatMap(({ kind, runId }) => (jobOf(runId) === name ? [kind] : []));
  }

  of(name: string): ObservedRun | undefined {
    return [...this.runs].find(([runId]) => jobOf(runId) === name)?.[1];
  }

  move(name: string, more: Partial<ObservedRun>): void {
    for (const [runId, run] of this.runs) {
      if (jobOf(runId) === name) this.put(runId, { ...run, ...more });
    }
  }

  private put(runId: string, run: ObservedRun): void {
    this.runs.set(runId, run);
    this.moved(jobOf(runId));
  }
}

/** The name in the id that a job's run has. */
export function jobOf(runId: string): string {
  return runId.replace(/-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, "");
}
