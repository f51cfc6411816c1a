import { isEnded } from "../run/run-state.ts";
import { isAlive } from "./holder.ts";
import { leaseInUse, leaseLost, runExists, runMissing } from "./lease-errors.ts";
import { NEW_LIFE, storedRun, storedWish } from "./run-record.ts";
import { SqliteDatabase } from "./sqlite-database.ts";
import type {
  Held,
  Holder,
  RunLife,
  RunSpec,
  RunWish,
  Store,
  StoredRun,
  StoredToken,
} from "./store.ts";

const RUN = `SELECT run_id, spec, phase, min_ranks, max_ranks, checkpoints, life, generation FROM runs`;
/** Holds in a transaction if the lease is held under this epoch. */
const IS_HELD = `SELECT 1 FROM leases WHERE name = ? AND epoch = ? AND holder_pid IS NOT NULL`;

/** The embedded store: one SQLite file, shared by the coordinators of one machine. */
export function openSqliteStore(path: string): Store {
  return new SqliteStore(new SqliteDatabase(path));
}

class SqliteStore implements Store {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  // A holder is gone when its process is, so a lease needs no time to live.
  async acquire(lease: string, holder: Holder): Promise<Held> {
    return this.#database.transaction(() => {
      const row = this.#database.row("SELECT * FROM leases WHERE name = ?", lease);
      const pid = row?.holder_pid;
      if (pid && isAlive({ pid: Number(pid), startedAt: String(row.holder_started_at) })) {
        throw leaseInUse(lease, Number(pid));
      }
      const epoch = Number(row?.epoch ?? 0) + 1;
      const values = [lease, epoch, holder.pid, holder.startedAt];
      this.#database.run("INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, NULL)", ...values);
      return { lease, epoch };
    });
  }

  async renew({ lease, epoch }: Held): Promise<boolean> {
    return this.#database.row(IS_HELD, lease, epoch) !== undefined;
  }

  async release({ lease, epoch }: Held): Promise<void> {
    this.#database.run(
      "UPDATE leases SET holder_pid = NULL, holder_started_at = NULL WHERE name = ? AND epoch = ?",
      ...[lease, epoch],
    );
  }

  async announce({ lease, epoch }: Held, address: string): Promise<void> {
    const set = "UPDATE leases SET address = ? WHERE name = ? AND epoch = ?";
    this.#database.run(set, address, lease, epoch);
  }

  async announced(lease: string): Promise<string | undefined> {
    const row = this.#database.row("SELECT address FROM leases WHERE name = ?", lease);
    return row?.address ? String(row.address) : undefined;
  }

  async create(runId: string, spec: RunSpec, wish: RunWish): Promise<void> {
    const run = { runId, spec, wish, life: NEW_LIFE, generation: 0 };
    if (!this.#insert(run)) throw runExists(runId);
  }

  async get(runId: string): Promise<StoredRun | undefined> {
    const row = this.#database.row(`${RUN} WHERE run_id = ?`, runId);
    return row && runOfRow(row);
  }

  async active(): Promise<StoredRun[]> {
    return this.#database.rows(`${RUN} WHERE ended IS NULL ORDER BY sequence`).map(runOfRow);
  }

  async ended(limit: number): Promise<StoredRun[]> {
    const newest = "WHERE ended IS NOT NULL ORDER BY ended DESC LIMIT ?";
    return this.#database.rows(`${RUN} ${newest}`, limit).map(runOfRow);
  }

  async dropEnded(keep: number, held: Held): Promise<number> {
    return this.#database.transaction(() => {
      this.#mustHold(held);
      const rows = this.#database.rows(
        `DELETE FROM runs WHERE ended <= (
           SELECT ended FROM runs WHERE ended IS NOT NULL ORDER BY ended DESC LIMIT 1 OFFSET ?
         ) RETURNING run_id`,
        keep,
      );
      for (const { run_id } of rows) {
        this.#database.run("DELETE FROM statuses WHERE run_id = ?", String(run_id));
      }
      return rows.length;
    });
  }

  async wish(runId: string, change: Partial<RunWish>): Promise<RunWish | undefined> {
    const { phase, minRanks, maxRanks, checkpoints } = change;
    const values = [phase, minRanks, maxRanks, checkpoints].map((value) => value ?? null);
    const row = this.#database.row(
      `UPDATE runs SET phase = coalesce(?, phase), min_ranks = coalesce(?, min_ranks),
         max_ranks = coalesce(?, max_ranks), checkpoints = coalesce(?, checkpoints)
       WHERE run_id = ? RETURNING *`,
      ...[...values, runId],
    );
    return row && wishOfRow(row);
  }

  async wishCheckpoint(runId: string): Promise<RunWish | undefined> {
    const row = this.#database.row(
      "UPDATE runs SET checkpoints = checkpoints + 1 WHERE run_id = ? RETURNING *",
      runId,
    );
    return row && wishOfRow(row);
  }

  async setLife(runId: string, held: Held, life: RunLife): Promise<void> {
    // A run that was over and is over again ended now; one that goes on is not over.
    const ended = isEnded(life.state)
      ? "coalesce(ended, (SELECT coalesce(max(ended), 0) + 1 FROM runs))"
      : "NULL";
    this.#write(runId, held, `life = ?, ended = ${ended}`, JSON.stringify(life));
  }

  async nextGeneration(runId: string, held: Held): Promise<number> {
    return Number(this.#write(runId, held, "generation = generation + 1").generation);
  }

  async restore(run: StoredRun, held: Held): Promise<boolean> {
    return this.#database.transaction(() => {
      this.#mustHold(held);
      return this.#insert(run);
    });
  }

  async setStatus(runId: string, held: Held, status: Uint8Array): Promise<void> {
    this.#mustHold(held);
    this.#database.runLoosely("INSERT OR REPLACE INTO statuses VALUES (?, ?)", runId, status);
  }

  async status(runId: string): Promise<Uint8Array | undefined> {
    const row = this.#database.row("SELECT status FROM statuses WHERE run_id = ?", runId);
    return row?.status instanceof Uint8Array ? row.status : undefined;
  }

  async addToken(token: StoredToken): Promise<void> {
    const text = JSON.stringify(token);
    this.#database.run("INSERT OR REPLACE INTO tokens VALUES (?, ?)", token.id, text);
  }

  async takeToken(id: string): Promise<StoredToken | undefined> {
    const row = this.#database.row("DELETE FROM tokens WHERE id = ? RETURNING token", id);
    return row && JSON.parse(String(row.token));
  }

  async tokens(): Promise<StoredToken[]> {
    const rows = this.#database.rows("SELECT token FROM tokens ORDER BY rowid");
    return rows.map(({ token }) => JSON.parse(String(token)));
  }

  async setDrained(agentId: string, drained: boolean): Promise<void> {
    if (drained) this.#database.run("INSERT OR IGNORE INTO drained VALUES (?)", agentId);
    else this.#database.run("DELETE FROM drained WHERE agent_id = ?", agentId);
  }

  async drained(): Promise<string[]> {
    const rows = this.#database.rows("SELECT agent_id FROM drained ORDER BY agent_id");
    return rows.map(({ agent_id }) => String(agent_id));
  }

  async close(): Promise<void> {
    this.#database.close();
  }

  /** False if there is one of that id. */
  #insert({ runId, spec, wish, life, generation }: StoredRun): boolean {
    const changes = this.#database.run(
      `INSERT OR IGNORE INTO runs
         (run_id, spec, phase, min_ranks, max_ranks, checkpoints, life, generation, ended)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, iif(?, (SELECT coalesce(max(ended), 0) + 1 FROM runs), NULL))`,
      ...[runId, JSON.stringify(spec)],
      ...[wish.phase, wish.minRanks, wish.maxRanks, wish.checkpoints],
      ...[JSON.stringify(life), generation, Number(isEnded(life.state))],
    );
    return changes === 1;
  }

  #mustHold(held: Held): void {
    if (!this.#database.row(IS_HELD, held.lease, held.epoch)) throw leaseLost(held);
  }

  /** Changes the run, if the lease is still held. */
  #write(runId: string, held: Held, assignments: string, ...values: string[]) {
    return this.#database.transaction(() => {
      this.#mustHold(held);
      const row = this.#database.row(
        `UPDATE runs SET ${assignments} WHERE run_id = ? RETURNING *`,
        ...[...values, runId],
      );
      if (!row) throw runMissing(this.#database.path, runId);
      return row;
    });
  }
}

type Row = ReturnType<SqliteDatabase["rows"]>[number];

function runOfRow(row: Row): StoredRun {
  return storedRun({
    ...{ runId: String(row.run_id), spec: String(row.spec), life: String(row.life) },
    ...numbersOfRow(row),
    generation: Number(row.generation),
  });
}

function wishOfRow(row: Row): RunWish {
  return storedWish(numbersOfRow(row));
}

function numbersOfRow(row: Row) {
  return {
    phase: String(row.phase),
    minRanks: Number(row.min_ranks),
    maxRanks: Number(row.max_ranks),
    checkpoints: Number(row.checkpoints),
  };
}
