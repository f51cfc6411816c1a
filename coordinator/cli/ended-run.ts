import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { MoestroError } from "../errors.ts";
import type { SummaryRecord } from "../report/records.ts";
import { RunDirectory } from "../run/run-directory.ts";
import { openSqliteStore } from "../store/sqlite-store.ts";
import { STORE_FILE } from "./options.ts";

/** Tells of a run that `moestro train` has ended from what it left. */
export async function showEnded(
  { runsDir, json }: { runsDir: string; json: boolean },
  runId: string,
): Promise<void> {
  const { summary: path } = new RunDirectory(join(runsDir, runId));
  if (!existsSync(path)) {
    const last = await storedState(runsDir, runId);
    throw new MoestroError(
      "run_failed",
      `run ${runId} is not running and left no summary${last}; continue it with: moestro train job.yaml --resume ${runId}`,
    );
  }
  const summary = JSON.parse(readFileSync(path, "utf8")) as SummaryRecord;
  if (json) console.log(JSON.stringify(summary));
  else console.log(`${runId}: ${summary.status} at step ${summary.steps}: ${summary.reason}`);
}

/** What the store last heard of a run whose coordinator could not say its end. */
async function storedState(runsDirectory: string, runId: string): Promise<string> {
  const path = join(runsDirectory, STORE_FILE);
  if (!existsSync(path)) return "";
  const store = openSqliteStore(path);
  try {
    const run = await store.get(runId);
    if (!run) return "";
    const { state, reason } = run.life;
    return ` (last known: ${state}, generation ${run.generation}: ${reason})`;
  } finally {
    await store.close();
  }
}
