import type { DatabaseSync } from "node:sqlite";
import { MoestroError } from "../errors.ts";
import { isRunState } from "../run/run-state.ts";
import { runLease } from "./lease-errors.ts";
import { NEW_LIFE } from "./run-record.ts";
import type { RunLife, RunSpec } from "./store.ts";

const VERSION = 2;
const SCHEMA = `
  CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    epoch INTEGER NOT NULL,
    holder_pid INTEGER,
    holder_started_at TEXT,
    address TEXT
  ) STRICT;
  CREATE TABLE runs (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL UNIQUE,
    spec TEXT NOT NULL,
    phase TEXT NOT NULL,
    min_ranks INTEGER NOT NULL,
    max_ranks INTEGER NOT NULL,
    checkpoints INTEGER NOT NULL,
    life TEXT NOT NULL,
    generation INTEGER NOT NULL,
    -- Grows with every run that ends; none while the run is not over.
    ended INTEGER UNIQUE
  ) STRICT;
  CREATE INDEX active_runs ON runs (sequence) WHERE ended IS NULL;
  CREATE TABLE statuses (run_id TEXT PRIMARY KEY, status BLOB NOT NULL) STRICT;
  CREATE TABLE tokens (id TEXT PRIMARY KEY, token TEXT NOT NULL) STRICT;
  CREATE TABLE drained (agent_id TEXT PRIMARY KEY) STRICT`;

/** Makes the tables of an empty file, and those of an older version of moestro anew. */
export function prepareSchema(database: DatabaseSync, path: string): void {
  database.exec("BEGIN IMMEDIATE");
  const version = Number(database.prepare("PRAGMA user_version").get()?.user_version);
  if (version > VERSION) {
    throw new MoestroError(
      "environment",
      `${path}: was written by a newer version of moestro (schema ${version}, this one writes ${VERSION}); use that version or another folder`,
    );
  }
  if (version === 0) database.exec(SCHEMA);
  if (version === 1) migrateFirst(database);
  database.exec(`PRAGMA user_version = ${VERSION}; COMMIT`);
}

/**
 * Version 1 kept one row a run: its state, generation, epoch and holder. Epochs and
 * generations go on from where they were.
 */
function migrateFirst(database: DatabaseSync): void {
  database.exec(`ALTER TABLE runs RENAME TO runs_1; ${SCHEMA};
    INSERT INTO leases
      SELECT '${runLease("")}' || run_id, epoch, holder_pid, holder_started_at, NULL FROM runs_1`);
  const insert = database.prepare(
    `INSERT INTO runs (run_id, spec, phase, min_ranks, max_ranks, checkpoints, life, generation, ended)
     VALUES (?, ?, 'run', 0, 0, 0, ?, ?,
       iif(? IN ('succeeded', 'stopped', 'failed'), (SELECT coalesce(max(ended), 0) + 1 FROM runs), NULL))`,
  );
  const rows = database.prepare("SELECT * FROM runs_1 ORDER BY rowid").all();
  for (const row of rows) {
    const [runId, state] = [String(row.run_id), String(row.state)];
    if (!isRunState(state)) throw new Error(`run ${runId} has the unknown state ${state}`);
    const spec: RunSpec = {
      ...{ name: runId, owner: "", priority: 0, submittedAtMs: 0, job: null, maxRestarts: 0 },
    };
    const life: RunLife = { ...NEW_LIFE, state, reason: String(row.reason) };
    const generation = Number(row.generation);
    insert.run(runId, JSON.stringify(spec), JSON.stringify(life), generation, state);
  }
  database.exec("DROP TABLE runs_1");
}
