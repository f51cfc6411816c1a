import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { MetricsRecord } from "../../coordinator/report/records.ts";
import { CheckpointLedger, isCheckpoint, readCheckpoint } from "../../coordinator/run/ledger.ts";
import { GLOBAL_BATCH_SIZES } from "./job.ts";
import { until } from "./patience.ts";
import type { Run } from "./run.ts";

/** How much a loss may differ after a change of layout. */
const TOLERANCE = 1e-4;

/**
 * What holds of every run that has ended, whatever happened to it: `reference` are the
 * steps of one that nothing happened to.
 */
export async function checkRun(run: Run, reference: readonly MetricsRecord[]): Promise<void> {
  checkSteps(run);
  checkRecoveries(run);
  checkFigures(run, reference);
  await checkCheckpoints(run);
  await checkNothingRuns(run);
}

/** Each step counts once, and none is missing. */
function checkSteps({ metrics, id }: Run): void {
  const steps = metrics.map(({ step }) => step);
  const wanted = Array.from({ length: steps.length }, (_, index) => index + 1);
  assert.deepEqual(steps, wanted, `${id}: steps in metrics.jsonl`);
}

/** Each recovery went on behind the newest checkpoint that was whole. */
function checkRecoveries({ events, id, kind }: Run): void {
  const committed = [0];
  let damaged = 0;
  for (const { event, ...details } of events) {
    if (event === "checkpoint.committed") committed.push(Number(details.step));
    if (event === "checkpoint.damaged") damaged += 1;
    if (event !== "run.recovered") continue;
    const { checkpointStep, firstStep, dataPosition, message } = details;
    const possible = committed.filter((step) => step < Number(firstStep)).slice(-1 - damaged);
    assert.ok(possible.includes(Number(checkpointStep)), `${id}: ${message}; has ${possible}`);
    assert.equal(firstStep, Number(checkpointStep) + 1, `${id}: ${message}`);
    assert.equal(dataPosition, Number(checkpointStep) * GLOBAL_BATCH_SIZES[kind]);
  }
}

/** Steps are those of the run that nothing happened to, and so are those trained twice. */
function checkFigures({ metrics, superseded, kind, id }: Run, reference: readonly MetricsRecord[]) {
  assert.ok(reference.length >= metrics.length, `${id}: the reference has fewer steps`);
  for (const record of [...metrics, ...superseded]) {
    const wanted = reference[record.step - 1];
    if (!wanted) continue;
    const where = `${id}: step ${record.step}`;
    if (kind !== "elastic") assert.deepEqual(figures(record), figures(wanted), where);
    else {
      const difference = Math.abs(record.loss - wanted.loss);
      assert.ok(difference <= TOLERANCE, `${where}: loss ${record.loss}, not ${wanted.loss}`);
    }
  }
}

/** All of a step that does not depend on time or place, but what comes with a validation alone. */
function figures({ step, loss, gradNorm, lr, tokens, layers }: MetricsRecord) {
  const ofLayers = layers.map(({ expertSimilarity, ...layer }) => layer);
  return { step, loss, gradNorm, lr, tokens, layers: ofLayers };
}

/** Everything that was committed is there, unharmed, or was told to be damaged. */
async function checkCheckpoints({ directory, events, id }: Run): Promise<void> {
  const folders = readdirSync(directory.checkpoints)
    .filter((name) => name.startsWith("step-"))
    .map((name) => join(directory.checkpoints, name))
    .filter(isCheckpoint);
  for (const folder of folders) await readCheckpoint(folder);
  const steps = events.flatMap((one) =>
    one.event === "checkpoint.committed" ? [Number(one.step)] : [],
  );
  const newest = new CheckpointLedger(directory.checkpoints).newestCommitted();
  assert.equal(newest?.manifest.step, steps.at(-1), `${id}: the newest checkpoint`);
}

/** Of all processes that ever were ranks of the run none is left. */
async function checkNothingRuns({ events, id }: Run): Promise<void> {
  const pids = events.flatMap((one) => (one.event === "rank.started" ? [Number(one.pid)] : []));
  await until(`${id}: the end of its ranks`, () => !pids.some(isRank), 10_000);
}

function isRank(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("moestro_engine");
  } catch {
    return false;
  }
}
