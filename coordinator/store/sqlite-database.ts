import { DatabaseSync, type SQLInputValue, type SQLOutputValue } from "node:sqlite";
import { MoestroError } from "../errors.ts";
import { prepareSchema } from "./sqlite-schema.ts";

type Row = Record<string, SQLOutputValue>;

/** One SQLite file of the store's schema; what goes wrong is told to a person. */
export class SqliteDatabase {
  readonly path: string;
  readonly #database: DatabaseSync;

  constructor(path: string) {
    this.path = path;
    this.#database = this.#told(() => new DatabaseSync(path, { timeout: 2000 }));
    try {
      this.#told(() => {
        this.#database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
        prepareSchema(this.#database, path);
      });
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  row(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#told(() => this.#database.prepare(sql).get(...values));
  }

  rows(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#told(() => this.#database.prepare(sql).all(...values));
  }

  /** Returns how many rows changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return this.#told(() => Number(this.#database.prepare(sql).run(...values).changes));
  }

  /** A write that a loss of power may undo. */
  runLoosely(sql: string, ...values: SQLInputValue[]): number {
    // In WAL mode, a commit under NORMAL waits for no disk.
    this.#told(() => this.#database.exec("PRAGMA synchronous = NORMAL"));
    try {
      return this.run(sql, ...values);
    } finally {
      this.#told(() => this.#database.exec("PRAGMA synchronous = FULL"));
    }
  }

  transaction<T>(body: () => T): T {
    try {
      this.#told(() => this.#database.exec("BEGIN IMMEDIATE"));
      const result = body();
      this.#told(() => this.#database.exec("COMMIT"));
      return result;
    } catch (error) {
      // SQLite rolls back by itself on some failures, a full disk among them.
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  close(): void {
    this.#database.close();
  }

  #told<T>(body: () => T): T {
    try {
      return body();
    } catch (error) {
      throw storeError(this.path, error);
    }
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
