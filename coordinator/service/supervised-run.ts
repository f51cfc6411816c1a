import { MoestroError } from "../errors.ts";
import type { EventRecord } from "../report/records.ts";
import { createSupervisor, type Surroundings } from "../run/create-supervisor.ts";
import type { LegalSizes } from "../run/legal-sizes.ts";
import type { RunState } from "../run/run-state.ts";
import { numSlots } from "../run/slot-source.ts";
import type { Supervisor } from "../run/supervisor.ts";
import type { Placed, StoredRun } from "../store/store.ts";
import { jobOf } from "./queued-run.ts";

/** A run that has slots, or is owed them. */
export type SupervisedRun = {
  stored: StoredRun;
  supervisor: Supervisor;
  sizes: LegalSizes;
  /** Slots that are its own: where its ranks run, are being started or are moving to. */
  placed: readonly Placed[];
  startedAtMs: number;
  /** It gives its slots back. */
  isLeaving: boolean;
  /** The number of checkpoints asked for that has been seen to. */
  checkpoints: number;
  savedStatusAtMs: number;
  /** Set while it waits for slots after a failure. */
  recovering: { sinceMs: number; resolve(placed: readonly Placed[]): void } | undefined;
};

/** Whether the run has more or fewer ranks than is wished now. */
export function isOutside({ placed }: SupervisedRun, wish: StoredRun["wish"]): boolean {
  const has = numSlots(placed);
  return has > 0 && (has < wish.minRanks || has > wish.maxRanks);
}

export type RunSurroundings = Omit<Surroundings, "observer" | "planFor"> & {
  /** What `status` tells may have changed. */
  changed(): void;
  log: { event(runId: string, record: EventRecord): void };
};

/** A stored run with a supervisor of its own; it has no slots yet. */
export function supervise(
  stored: StoredRun,
  sizes: LegalSizes,
  state: RunState,
  { changed, log, ...surroundings }: RunSurroundings,
): SupervisedRun {
  const { runId, spec, wish, life, generation } = stored;
  const run = { runId, spec, wish, life, generation, state, job: jobOf(spec.job) };
  const observer = {
    changed,
    step: () => {},
    event: (record: EventRecord) => log.event(runId, record),
  };
  const planFor = (ranks: number) => planOf(sizes, ranks);
  return {
    ...{ stored, sizes, placed: [], startedAtMs: Date.now(), isLeaving: false },
    ...{ checkpoints: wish.checkpoints, savedStatusAtMs: 0, recovering: undefined },
    supervisor: createSupervisor(
      { ...run, reason: life.reason },
      { ...surroundings, observer, planFor },
    ),
  };
}

function planOf(sizes: LegalSizes, ranks: number) {
  const plan = sizes.plan(ranks);
  if (plan) return plan;
  throw new MoestroError("no_plan", `no legal layout has ${ranks} ranks`);
}
