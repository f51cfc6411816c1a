import { setTimeout as sleep } from "node:timers/promises";
import type { RunStatus } from "../../proto/gen/moestro/v1/run_pb.js";
import { SUMMARY_MS } from "./reconcile/plan-status.ts";

const EVERY_MS = 1000;
/** Of the time between two looks, at most this share goes into looking. */
const MOST_SHARE = 0.1;

interface Known {
  news: string;
  step: bigint;
  toldAtMs: number;
}

/**
 * Notices what happens to runs, so that their jobs are looked at: what changes how a run stands
 * at once, its steps as often as the summary is written.
 */
export class RunWatch {
  /** As they were last listed. */
  runs: readonly RunStatus[] = [];
  private known = new Map<string, Known>();
  private readonly list: () => Promise<readonly RunStatus[]>;
  private readonly changed: (runId: string) => void;
  private readonly failed: (error: unknown) => void;
  private readonly everyMs: number;
  private readonly closing = new AbortController();

  /** @param list the runs to watch; of those that are over it may leave out some */
  constructor(
    list: () => Promise<readonly RunStatus[]>,
    changed: (runId: string) => void,
    failed: (error: unknown) => void,
    everyMs = EVERY_MS,
  ) {
    this.everyMs = everyMs;
    this.list = list;
    this.changed = changed;
    this.failed = failed;
  }

  /** Looks again and again until it is closed. */
  async run(): Promise<void> {
    const { signal } = this.closing;
    while (!signal.aborted) {
      const fromMs = performance.now();
      try {
        this.runs = await this.list();
        this.compare(Date.now());
      } catch (error) {
        this.failed(error);
      }
      const tookMs = performance.now() - fromMs;
      await sleep(Math.max(this.everyMs, tookMs / MOST_SHARE), undefined, { signal }).catch(
        () => {},
      );
    }
  }

  close(): void {
    this.closing.abort();
  }

  private compare(nowMs: number): void {
    const before = this.known;
    this.known = new Map();
    for (const run of this.runs) {
      const { runId, step } = run;
      const old = before.get(runId);
      const news = newsOf(run);
      const isDue = old?.step !== step && nowMs - (old?.toldAtMs ?? 0) >= SUMMARY_MS;
      const isNews = old?.news !== news || isDue;
      const kept = isNews || old === undefined ? { step, toldAtMs: nowMs } : old;
      this.known.set(runId, { ...kept, news });
      if (isNews) this.changed(runId);
    }
    // Listed no more: it ended, and many others did.
    for (const runId of before.keys()) if (!this.known.has(runId)) this.changed(runId);
  }
}

function newsOf(run: RunStatus): string {
  const { state, reason, generation, numRanks, minRanks, maxRanks, layout } = run;
  const { restarts, countedRestarts } = run;
  return [
    state,
    reason,
    generation,
    numRanks,
    minRanks,
    maxRanks,
    layout,
    restarts,
    countedRestarts,
  ].join("|");
}
