// The short half of the fault matrix, of which npm run test:faults is the whole: many faults
// in the life of one run, and one that goes on without the control plane.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Workplace } from "../e2e/moestro.ts";
import { type Context, carryOut } from "./cell.ts";
import { cellNamed } from "./cells.ts";
import { checkRun } from "./checks.ts";
import { Cluster } from "./cluster.ts";
import { Random } from "./random.ts";
import { References } from "./reference.ts";
import { Run } from "./run.ts";

/** More than the faults leave time for: the run is stopped behind the last one. */
const MANY_STEPS = 1_000_000;
const FIRST_STEPS = 12;
const place = new Workplace();
const random = Random.ofEnvironment();
const references = new References();
let cluster: Cluster;
let run: Run;

before(async () => {
  console.log(`MOESTRO_TEST_SEED=${random.seed} repeats these faults`);
  cluster = await Cluster.start(place);
  run = await Run.submit(cluster, "much-tried", { kind: "strict", steps: MANY_STEPS });
  await run.reach(FIRST_STEPS);
});
after(async () => {
  if (!failed) return place.remove();
  console.log(`what the faults left is in ${place.directory}`);
  for (const daemon of place.processes()) process.kill(Number.parseInt(daemon, 10), "SIGKILL");
});

/** What comes after a failure would wait for what never comes. */
let failed = false;
async function once(body: () => Promise<void>): Promise<void> {
  assert.ok(!failed, "not tried, as a test before it failed");
  failed = true;
  await body();
  failed = false;
}

const context = (of: Run): Context => ({ cluster, run: of, random, note: () => {} });

for (const [sentence, cell] of [
  ["a rank that is killed is named, and all go on behind the last checkpoint", "rank-sigkill"],
  ["a rank that ends as if all were done has failed all the same", "rank-exit-0"],
  ["a loss that is no number ends a generation, not the run", "rank-nan"],
  ["a second fault while the first is being recovered from is recovered from too", "second-fault"],
  ["a damaged checkpoint is named, and the one before it is used", "flipped-byte"],
  [
    "a coordinator that is killed takes its running ranks over when it is back",
    "coordinator-sigkill",
  ],
  ["no rank notices that Redis was killed", "redis-sigkill"],
  ["a second agent of the same name is sent away", "same-agent-twice"],
  ["what an agent says of ranks it does not have is refused", "stale-messages"],
  [
    "an agent that is killed takes its ranks along, and has them again when it is back",
    "agent-sigkill",
  ],
] as const) {
  test(sentence, () => once(() => carryOut(cellNamed(cell), context(run))));
}

test("after all of it the run is what it would have been", () =>
  once(async () => {
    await run.stop();
    await checkRun(run, await references.of(cluster, "strict", run.lastStep));
  }));

test("an agent that is stopped for seconds keeps its ranks, and tells what they did", () =>
  once(async () => {
    const free = await Run.submit(cluster, "left-alone", { kind: "free", steps: MANY_STEPS });
    await free.reach(FIRST_STEPS);
    await carryOut(cellNamed("agent-sigstop"), context(free));
    await free.stop();
    // Nothing else happened to it: it is its own reference.
    await checkRun(free, free.metrics);
  }));

test("nothing is left running", () => once(() => cluster.close()));
