import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { MoestroError } from "../errors.ts";
import type { SummaryRecord } from "../report/records.ts";
import { RunDirectory } from "../run/run-directory.ts";
import { openSqliteStore } from "../store/sqlite-store.ts";
import type { StoredRun } from "../store/store.ts";
import { STORE_FILE } from "./options.ts";

/** A run that `moestro train` has begun in this folder, as its store has it. */
export async function trainedRun(
  runsDirectory: string,
  runId: string,
): Promise<StoredRun | undefined> {
  const path = join(runsDirectory, STORE_FILE);
  if (!existsSync(path)) return undefined;
  const store = openSqliteStore(path);
  try {
    return await store.get(runId);
  } finally {
    await store.close();
  }
}

/** How it ended. Throws MoestroError if it did not live to say so. */
export function summaryOf(runsDirectory: string, { runId, life, generation }: StoredRun) {
  const { summary } = new RunDirectory(join(runsDirectory, runId));
  if (existsSync(summary)) return JSON.parse(readFileSync(summary, "utf8")) as SummaryRecord;
  const last = `last known: ${life.state}, generation ${generation}: ${life.reason}`;
  throw new MoestroError(
    "run_failed",
    `run ${runId} is not running and left no summary (${last}); continue it with: moestro train job.yaml --resume ${runId}`,
  );
}
