import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { MoestroError } from "../errors.ts";

const POLL_MS = 25;
/** SQLite's code for "somebody else has the lock". */
const BUSY = 5;

/**
 * Does something while no other process does it. The lock is the operating system's,
 * by way of SQLite: it is gone when its process is, so none is ever left behind.
 */
export async function withFileLock<T>(
  path: string,
  patienceMs: number,
  body: () => Promise<T>,
): Promise<T> {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    const deadline = performance.now() + patienceMs;
    while (!tryLock(database)) {
      if (performance.now() > deadline) {
        throw new MoestroError(
          "in_use",
          `${path}: another process holds this lock for longer than ${patienceMs / 1000} s; end it if it hangs`,
        );
      }
      await sleep(POLL_MS);
    }
    return await body();
  } finally {
    database.close();
  }
}

function tryLock(database: DatabaseSync): boolean {
  try {
    database.exec("BEGIN EXCLUSIVE");
    return true;
  } catch (error) {
    if ((error as { errcode?: number }).errcode === BUSY) return false;
    throw error;
  }
}
