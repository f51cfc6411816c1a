import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CheckpointLedger } from "../../../coordinator/run/ledger.ts";
import { RunDirectory } from "../../../coordinator/run/run-directory.ts";
import { type Cell, NUM_RANKS, recovered } from "../cell.ts";
import { CHECKPOINT_EVERY_STEPS } from "../job.ts";

/** Reports that are under way have arrived by then. */
const SETTLED_MS = 500;
const DISK_BYTES = 32 << 20;

/** A byte of the newest checkpoint is wrong when it is needed: the one before it is used. */
const flipped: Cell = {
  ...{ name: "flipped-byte", kind: "strict", restarts: 1, counted: 1 },
  strike: async ({ run, random }) => {
    const ledger = new CheckpointLedger(run.directory.checkpoints);
    await run.reach(2 * CHECKPOINT_EVERY_STEPS + 1);
    // Nothing newer is to be committed meanwhile.
    for (let rank = 0; rank < NUM_RANKS; rank += 1) process.kill(run.pid(rank), "SIGSTOP");
    await sleep(SETTLED_MS);
    const newest = ledger.newestCommitted();
    assert.ok(newest);
    const { name } = random.pick(newest.manifest.shards.files);
    flipByte(join(newest.directory, name), random.next());
    const after = run.events.length;
    process.kill(run.pid(random.whole(0, NUM_RANKS - 1)), "SIGKILL");
    await recovered(run, after, /SIGKILL/);
    const note = await run.event("checkpoint.damaged", after);
    const { step } = newest.manifest;
    const told = `${newest.directory}: ${name} is damaged.*step ${step - CHECKPOINT_EVERY_STEPS} before`;
    assert.match(note.message, new RegExp(told));
    const { checkpointStep } = await run.event("run.recovered", after);
    assert.equal(checkpointStep, step - CHECKPOINT_EVERY_STEPS);
  },
};

/** The disk fills up while checkpoints are written, and somebody frees space. */
const diskFull: Cell = {
  ...{ name: "disk-full", kind: "strict", restarts: 1, counted: 1 },
  prepare: ({ runsDirectory }, runId) => {
    const { checkpoints } = new RunDirectory(join(runsDirectory, runId));
    mkdirSync(checkpoints, { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${DISK_BYTES}`, "none", checkpoints]);
    return () => execFileSync("umount", [checkpoints]);
  },
  strike: async ({ run }) => {
    const { checkpoints } = run.directory;
    const after = run.events.length;
    const filler = join(checkpoints, "filler");
    fill(filler);
    await run.event("run.recovering", after);
    rmSync(filler);
    await recovered(run, after, /no space left/i);
  },
};

/** Takes all the space there is. */
function fill(path: string): void {
  const file = openSync(path, "w");
  try {
    for (;;) writeSync(file, Buffer.alloc(1 << 16));
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "ENOSPC");
  } finally {
    closeSync(file);
  }
}

function flipByte(path: string, where: number): void {
  const bytes = readFileSync(path);
  const place = Math.floor(where * bytes.length);
  const file = openSync(path, "r+");
  writeSync(file, Buffer.from([(bytes[place] ?? 0) ^ 1]), 0, 1, place);
  closeSync(file);
}

export const storageCells: readonly Cell[] = [flipped, diskFull];
