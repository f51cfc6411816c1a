import { DatabaseSync } from "node:sqlite";
import { MoestroError } from "../errors.ts";
import { isRunState } from "../run/run-state.ts";
import { isAlive } from "./holder.ts";
import type { Holder, RunStore, StoredRun } from "./run-store.ts";

const SCHEMA_VERSION = 1;
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS runs (
    run_id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    generation INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    holder_pid INTEGER,
    holder_started_at TEXT
  ) STRICT`;

/** The embedded store: one SQLite file, shared by the coordinators of one machine. */
export function openSqliteStore(path: string): RunStore {
  try {
    return new SqliteStore(path);
  } catch (error) {
    throw storeError(path, error);
  }
}

/** What SQLite says, told to a person. */
function storeError(path: string, error: unknown): unknown {
  if (error instanceof MoestroError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code !== "ERR_SQLITE_ERROR") return error;
  return new MoestroError(
    "environment",
    `${path}: the store cannot be used: ${message}; free disk space, or move the file away if it is damaged`,
  );
}

class SqliteStore implements RunStore {
  readonly #path: string;
  readonly #database: DatabaseSync;

  constructor(path: string) {
    this.#path = path;
    this.#database = new DatabaseSync(path, { timeout: 5000 });
    this.#database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    const version = this.#database.prepare("PRAGMA user_version").get()?.user_version;
    if (version !== 0 && version !== SCHEMA_VERSION) {
      throw new MoestroError(
        "environment",
        `${path}: was written by another version of moestro (schema ${version}, this one writes ${SCHEMA_VERSION}); use that version or another folder`,
      );
    }
    this.#database.exec(`${SCHEMA}; PRAGMA user_version = ${SCHEMA_VERSION}`);
  }

  async acquire(runId: string, holder: Holder): Promise<number> {
    return this.#transaction(() => {
      const found = this.#find(runId);
      if (found?.holder && isAlive(found.holder)) {
        throw new MoestroError(
          "in_use",
          `run ${runId} is in use by process ${found.holder.pid}; wait for it to end, stop it with: moestro stop ${runId}`,
        );
      }
      const epoch = (found?.epoch ?? 0) + 1;
      this.#database
        .prepare(
          `INSERT INTO runs VALUES (?, 'starting', 'acquired', 0, ?, ?, ?)
           ON CONFLICT (run_id) DO UPDATE SET
             epoch = excluded.epoch,
             holder_pid = excluded.holder_pid,
             holder_started_at = excluded.holder_started_at`,
        )
        .run(runId, epoch, holder.pid, holder.startedAt);
      return epoch;
    });
  }

  async release(runId: string, epoch: number): Promise<void> {
    this.#transaction(() =>
      this.#write("holder_pid = NULL, holder_started_at = NULL", [], runId, epoch),
    );
  }

  async nextGeneration(runId: string, epoch: number): Promise<number> {
    return this.#transaction(() => {
      this.#write("generation = generation + 1", [], runId, epoch);
      return this.#find(runId)?.generation ?? 0;
    });
  }

  async setState(
    runId: string,
    epoch: number,
    state: StoredRun["state"],
    reason: string,
  ): Promise<void> {
    this.#transaction(() => this.#write("state = ?, reason = ?", [state, reason], runId, epoch));
  }

  async get(runId: string): Promise<StoredRun | undefined> {
    return this.#find(runId);
  }

  async close(): Promise<void> {
    this.#database.close();
  }

  #find(runId: string): StoredRun | undefined {
    const row = this.#database.prepare("SELECT * FROM runs WHERE run_id = ?").get(runId);
    if (!row) return undefined;
    const state = String(row.state);
    if (!isRunState(state)) throw new Error(`run ${runId} has the unknown state ${state}`);
    return {
      runId,
      state,
      reason: String(row.reason),
      generation: Number(row.generation),
      epoch: Number(row.epoch),
      holder:
        row.holder_pid === null
          ? undefined
          : { pid: Number(row.holder_pid), startedAt: String(row.holder_started_at) },
    };
  }

  /** Changes the run if `epoch` is still its epoch. */
  #write(assignments: string, values: string[], runId: string, epoch: number): void {
    const result = this.#database
      .prepare(`UPDATE runs SET ${assignments} WHERE run_id = ? AND epoch = ?`)
      .run(...values, runId, epoch);
    if (result.changes === 0) {
      throw new MoestroError(
        "in_use",
        `run ${runId} was taken over by another coordinator (this one held epoch ${epoch})`,
      );
    }
  }

  #transaction<T>(body: () => T): T {
    try {
      this.#database.exec("BEGIN IMMEDIATE");
      const result = body();
      this.#database.exec("COMMIT");
      return result;
    } catch (error) {
      // SQLite rolls back by itself on some failures, a full disk among them.
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw storeError(this.#path, error);
    }
  }
}
