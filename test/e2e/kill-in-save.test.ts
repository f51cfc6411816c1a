// Kill -9 at random moments while checkpoints are being written. The suite does
// a few; MOESTRO_TEST_KILLS=20 does as many as the promise is made for.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { CheckpointLedger } from "../../coordinator/run/ledger.ts";
import { type Command, tinyJob, tinyTraining, Workplace } from "./moestro.ts";

const NUM_KILLS = Number(process.env.MOESTRO_TEST_KILLS ?? 4);
/** Several saves go by in it. */
const WITHIN_MS = 400;
const place = new Workplace();
const ledger = new CheckpointLedger(place.path("runs", "killed", "checkpoints"));

before(() => {
  // A checkpoint of every step: one is always being written.
  const job = tinyJob({
    training: tinyTraining(1_000_000),
    layout: { pipelineParallel: 2, tensorParallel: 1 },
    cluster: { ranks: 2, device: "cpu" },
    checkpoint: { everySteps: 1, keep: 2 },
  });
  place.write("job.yaml", job);
});
after(() => place.remove());

const VICTIMS: [who: string, kill: (run: Command) => Promise<void>][] = [
  [
    "one rank",
    async (run) => {
      process.kill(await pidOfRank(run, 1), "SIGKILL");
    },
  ],
  ["every process", async () => killEverything()],
];

test(`kill -9 at ${NUM_KILLS} random moments during saves never leaves less than the checkpoint before`, async () => {
  let committed = 0;
  for (let kill = 0; kill < NUM_KILLS; kill += 1) {
    const [who, harm] = VICTIMS[kill % VICTIMS.length] as (typeof VICTIMS)[number];
    const run = place.start([
      "train",
      "job.yaml",
      ...["--json", "--max-restarts", "0"],
      ...(kill === 0 ? ["--run-id", "killed"] : ["--resume", "killed"]),
    ]);
    const { step } = await run.step(1).catch((error: Error) => {
      const last = JSON.stringify(run.lines.at(-1));
      return assert.fail(`start ${kill + 1}: ${error.message}; its last line is ${last}`);
    });
    assert.equal(step, committed + 1, "the run did not go on behind its newest checkpoint");
    await run.event("checkpoint.committed");
    const delayMs = Math.random() * WITHIN_MS;
    await sleep(delayMs);
    await harm(run);
    await place.nothingLeft(20_000);
    await run.ended;
    const context = `${who} killed ${delayMs.toFixed(1)} ms after a commit`;
    const announced = run.lines.flatMap((line) =>
      line.type === "event" && line.event === "checkpoint.committed" ? [Number(line.step)] : [],
    );
    const newest = await ledger.newest((folder, why) =>
      assert.fail(`${context}: ${folder}: ${why}`),
    );
    const found = newest?.manifest.step ?? 0;
    assert.ok(
      found >= Math.max(committed, ...announced),
      `${context}: ${found} is what is left of ${Math.max(committed, ...announced)}`,
    );
    committed = found;
  }
});

async function pidOfRank(run: Command, rank: number): Promise<number> {
  const line = await run.line("event", (one) => one.event === "rank.started" && one.rank === rank);
  return Number(line.pid);
}

function killEverything(): void {
  for (const line of place.processes()) {
    try {
      process.kill(Number.parseInt(line, 10), "SIGKILL");
    } catch {
      // It has ended with the one before it.
    }
  }
}
