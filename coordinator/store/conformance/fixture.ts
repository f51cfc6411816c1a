import assert from "node:assert/strict";
import { MoestroError } from "../../errors.ts";
import { currentHolder } from "../holder.ts";
import { NEW_LIFE } from "../run-record.ts";
import type {
  Held,
  Holder,
  RunLife,
  RunSpec,
  RunWish,
  Store,
  StoredRun,
  StoredToken,
} from "../store.ts";

/** What a store's tests need to know of it. */
export type Subject = {
  /** Another coordinator on the same, empty at a test's start, data. */
  open(): Promise<Store>;
  /** A holder whose lease lapses within a moment. */
  mortal: Holder;
  /** Waits until leases of `mortal` for SHORT_MS have lapsed. */
  lapse(): Promise<void>;
  /** The machine loses power and comes back. */
  crash(): Promise<void>;
};

/** Adds a test: one sentence that holds for every store. */
export type Check = (
  sentence: string,
  body: (subject: Subject, store: Store) => Promise<void>,
) => void;

export const LONG_MS = 600_000;
export const SHORT_MS = 20;

export const SPEC: RunSpec = {
  name: "demo",
  owner: "user:ada",
  priority: 3,
  submittedAtMs: 1_700_000_000_000,
  job: { model: { layers: 4 }, notes: [], "with : signs": 'é "quoted" \n' },
  maxRestarts: 5,
};
export const WISH: RunWish = { phase: "run", minRanks: 2, maxRanks: 8, checkpoints: 0 };
export const LIFE: RunLife = {
  state: "running",
  reason: "all ranks stand",
  restarts: 2,
  countedRestarts: 1,
  stepsLost: 17,
  placed: [{ agentId: "a", slots: [0, 1] }],
  plan: { layout: { tp: 2 }, stages: [] },
  startedAtMs: 1_700_000_001_000,
  exitCode: 0,
};
export const TOKEN: StoredToken = {
  id: "t",
  secretHash: "ab".repeat(32),
  role: "agent",
  name: "",
  createdBy: "user:ada",
  createdAtMs: 1,
  expiresAtMs: 2,
};

export function leader(store: Store): Promise<Held> {
  return store.acquire("leader", currentHolder(), LONG_MS);
}

/** A run that was just submitted. */
export function runOf(runId: string): StoredRun {
  return { runId, spec: SPEC, wish: WISH, life: NEW_LIFE, generation: 0 };
}

/** Asserts which runs these are, in their order. */
export async function assertRuns(runs: Promise<StoredRun[]>, ids: string[]): Promise<void> {
  assert.deepEqual(
    (await runs).map(({ runId }) => runId),
    ids,
  );
}

export function isInUse(error: unknown): error is MoestroError {
  return error instanceof MoestroError && error.code === "in_use";
}

export function isEnvironment(error: unknown): boolean {
  return error instanceof MoestroError && error.code === "environment" && error.lines.length === 1;
}
