import type { JsonValue } from "@bufbuild/protobuf";
import type { RunState } from "../run/run-state.ts";

/** The process that coordinates, told apart from a later one of the same pid. */
export type Holder = { pid: number; startedAt: string };

/** A lease as its holder has it. Writes carry it, and are refused once somebody else holds it. */
export type Held = { lease: string; epoch: number };

/** What was submitted. Never changes. */
export type RunSpec = {
  name: string;
  owner: string;
  /** Higher goes first. */
  priority: number;
  submittedAtMs: number;
  /** The resolved job, JSON. */
  job: JsonValue;
  /** Restarts for failures of the run's own before it is given up. */
  maxRestarts: number;
  /** Its ranks go to agents that are for this run alone; without it to those that are for any. */
  hasOwnAgents?: true;
};

/** What people want of a run. Any coordinator takes it; the leader sees to it. */
export type RunWish = {
  phase: "run" | "suspend" | "stop" | "kill";
  minRanks: number;
  maxRanks: number;
  /** Grows by one every time somebody asks for a checkpoint. */
  checkpoints: number;
};

/** The slots of one agent that a generation has. */
export type Placed = { agentId: string; slots: readonly number[] };

/** What became of a run so far. Written by the lease's holder alone. */
export type RunLife = {
  state: RunState;
  /** One sentence. */
  reason: string;
  /** All starts after the first, and those that count against the limit. */
  restarts: number;
  countedRestarts: number;
  stepsLost: number;
  /** Where the current generation runs; empty while none does. */
  placed: readonly Placed[];
  /** The current generation's Plan, protobuf as JSON; null before the first. */
  plan: JsonValue;
  /** Of the first generation's first step; 0 before it. */
  startedAtMs: number;
  /** Of a run that failed: what a command that watched it ends with. 0 otherwise. */
  exitCode: number;
};

export type StoredRun = {
  runId: string;
  spec: RunSpec;
  wish: RunWish;
  life: RunLife;
  /** Starts of its ranks so far. */
  generation: number;
};

/** A join token as it is kept: its secret is not. */
export type StoredToken = {
  id: string;
  /** SHA-256 of the secret, hexadecimal. */
  secretHash: string;
  role: "admin" | "submitter" | "viewer" | "agent";
  /** The only name it is good for; empty for any. */
  name: string;
  createdBy: string;
  createdAtMs: number;
  expiresAtMs: number;
};

/**
 * What must survive a coordinator. Every promise resolves once the change would
 * survive the loss of power. Fails with MoestroError("environment") when the store
 * cannot be reached or written, in a second or two, never by hanging.
 */
export interface Store {
  // --- leases: who may write lives ---

  /**
   * Takes a lease and returns its new epoch, greater than all before. Throws
   * MoestroError("in_use") naming the holder while another has it: for as long as its
   * process lives (embedded store) or until `ttlMs` after its last renewal (shared store,
   * which gives the holder another `ttlMs` where the store itself was away).
   */
  acquire(lease: string, holder: Holder, ttlMs: number): Promise<Held>;
  /**
   * Holds the lease for another `ttlMs`. Also after it ran out, if nobody took it since.
   * False if it is another's now.
   */
  renew(held: Held, ttlMs: number): Promise<boolean>;
  /** Gives the lease up, if it is still held. */
  release(held: Held): Promise<void>;
  /** Says where the lease's holder can be reached. Nothing comes of it if it is held no more. */
  announce(held: Held, address: string): Promise<void>;
  /** What its newest holder announced; undefined if that is nothing. */
  announced(lease: string): Promise<string | undefined>;

  // --- runs ---

  /** Adds a run in state "queued". Throws MoestroError("in_use") if there is one of that id. */
  create(runId: string, spec: RunSpec, wish: RunWish): Promise<void>;
  get(runId: string): Promise<StoredRun | undefined>;
  /** Runs that are not over, by submission. */
  active(): Promise<StoredRun[]>;
  /** Runs that are over, the last to end first. */
  ended(limit: number): Promise<StoredRun[]>;
  /**
   * Forgets all runs that are over but the last `keep` to end; how many that were. Throws as
   * `setLife`.
   */
  dropEnded(keep: number, held: Held): Promise<number>;
  /** Changes what is wanted, atomically, and returns it; undefined if there is no such run. */
  wish(runId: string, change: Partial<RunWish>): Promise<RunWish | undefined>;
  /** Counts a checkpoint that somebody asks for. */
  wishCheckpoint(runId: string): Promise<RunWish | undefined>;
  /** Throws MoestroError("in_use") if `held` is not held any more. */
  setLife(runId: string, held: Held, life: RunLife): Promise<void>;
  /** Raises and returns the run's generation. Throws as `setLife`. */
  nextGeneration(runId: string, held: Held): Promise<number>;
  /**
   * Puts a run back as it was; false if the store has it. For a shared store that came
   * back empty: its leader still knows its runs. Throws as `setLife`.
   */
  restore(run: StoredRun, held: Held): Promise<boolean>;
  /** The newest status, for coordinators that stand by; need not survive anything. */
  setStatus(runId: string, held: Held, status: Uint8Array): Promise<void>;
  status(runId: string): Promise<Uint8Array | undefined>;

  // --- tokens and agents ---

  addToken(token: StoredToken): Promise<void>;
  /** Removes the token and returns it, once: the second caller gets undefined. */
  takeToken(id: string): Promise<StoredToken | undefined>;
  /** All, those past their time too. */
  tokens(): Promise<StoredToken[]>;
  setDrained(agentId: string, drained: boolean): Promise<void>;
  drained(): Promise<string[]>;

  close(): Promise<void>;
}
