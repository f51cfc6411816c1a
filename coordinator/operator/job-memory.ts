import type { ObservedJob, ObservedObject, Refusal, Verdict } from "./reconcile/observation.ts";

/** What was written and is not seen for so long is gone again, or was no change. */
const UNSEEN_MS = 5_000;

type Named = Pick<ObservedObject, "kind"> & { metadata: { name: string } };

/** What is remembered of a job; it may be forgotten at any time, at the cost of a call more. */
export class JobMemory {
  readonly uid: string;
  /** By the planner, or by the coordinator that was asked. Good for as long as the job's generation is the same. */
  judged: { generation: number; verdict: Verdict } | undefined;
  /** Of the last look's writes. */
  refusals: readonly Refusal[] = [];
  /** When its status was last written. */
  statusAtMs: number | undefined;
  /** The version that it was written over. */
  private writtenOver: string | undefined;
  /** Children that were made and are not seen yet, by when. */
  private readonly made = new Map<string, number>();

  constructor(uid: string) {
    this.uid = uid;
  }

  hasMade(child: Named, nowMs: number): void {
    this.made.set(nameOf(child), nowMs);
  }

  hasWrittenStatus({ metadata }: ObservedJob, nowMs: number): void {
    this.writtenOver = metadata.resourceVersion;
    this.statusAtMs = nowMs;
  }

  /** Whether what was written is not seen yet, and would be written again. */
  isAhead({ metadata }: ObservedJob, children: readonly Named[], nowMs: number): boolean {
    for (const child of children) this.made.delete(nameOf(child));
    for (const [child, atMs] of this.made) if (isOld(atMs, nowMs)) this.made.delete(child);
    const isSeen = this.writtenOver !== metadata.resourceVersion;
    return this.made.size > 0 || !(isSeen || isOld(this.statusAtMs, nowMs));
  }
}

function nameOf({ kind, metadata }: Named): string {
  return `${kind} ${metadata.name}`;
}

function isOld(atMs: number | undefined, nowMs: number): boolean {
  return atMs === undefined || nowMs - atMs >= UNSEEN_MS;
}
