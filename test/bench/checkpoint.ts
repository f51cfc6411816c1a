// What a checkpoint costs training: the same ranks save in training's way and
// beside it, in turn, in one run; prints how long the loop stands still.
//
//   npm run bench:checkpoint -- [--pairs 8] [--hidden 256] [--ranks 2]
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { stringify } from "yaml";
import { pythonExecutable } from "../../coordinator/environment/python.ts";
import { median, shortJob } from "./jobs.ts";
import { rankEnvironment, startRanks, torchrunArguments } from "./start-ranks.ts";

const ROOT = resolve(import.meta.dirname, "../..");
/** The bound on the ratio. */
const TARGET = 0.1;

type Pair = {
  rank: number;
  synchronousMs: number;
  stallMs: number;
  writingMs: number;
  slowerMs: number;
  steps: number;
  stepMs: number;
  bytes: number;
};

const { values } = parseArgs({
  options: {
    pairs: { type: "string", default: "8" },
    hidden: { type: "string", default: "256" },
    ranks: { type: "string", default: "2" },
  },
});
const scratch = mkdtempSync(join(tmpdir(), "moestro-bench-"));

try {
  const jobPath = join(scratch, "job.yaml");
  writeFileSync(jobPath, stringify(savingJob(Number(values.hidden), Number(values.ranks))));
  const start = join(scratch, "start.bin");
  const { bytes, worldSize } = await startRanks(jobPath, join(scratch, "checkpoints"));
  writeFileSync(start, bytes);
  report(saveInTurn(start, worldSize), worldSize);
} finally {
  rmSync(scratch, { recursive: true });
}

/** The demo, wider, so that a shard is no matter of milliseconds, on short batches; a stage a rank. */
function savingJob(hiddenSize: number, ranks: number) {
  const job = shortJob(join(ROOT, "examples/quickstart.yaml"), 1000);
  const model = { ...(job.model as object), hiddenSize, ffnHiddenSize: 2 * hiddenSize };
  const training = {
    ...job.training,
    sequenceLength: 64,
    globalBatchSize: ranks,
    microBatchSize: 1,
  };
  const layout = { pipelineParallel: ranks, tensorParallel: 1 };
  return { ...job, model, training, layout, cluster: { ranks, device: "cpu" } };
}

function saveInTurn(start: string, worldSize: number): Pair[] {
  const program = [join(ROOT, "test/bench/checkpoint_ranks.py"), start, "--pairs", values.pairs];
  const result = spawnSync(pythonExecutable(), [...torchrunArguments(worldSize), ...program], {
    encoding: "utf8",
    env: rankEnvironment(worldSize),
  });
  if (result.status !== 0) throw new Error(`torchrun failed:\n${result.stderr}`);
  const lines = result.stdout.split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line) => JSON.parse(line) as Pair);
}

/** Ranks wait for each other, so of every pair the rank that stood longest counts. */
function report(all: readonly Pair[], worldSize: number): void {
  const ratios: number[] = [];
  const slowed: number[] = [];
  for (let pair = 0; pair < all.length / worldSize; pair += 1) {
    const ranks = Array.from({ length: worldSize }, (_, rank) =>
      all.filter((one) => one.rank === rank),
    ).flatMap((ofRank) => ofRank[pair] ?? []);
    const most = (field: keyof Pair) => Math.max(...ranks.map((one) => one[field]));
    ratios.push(most("stallMs") / most("synchronousMs"));
    slowed.push((most("stallMs") + most("slowerMs")) / most("synchronousMs"));
    console.log(
      `pair ${pair + 1}: ${(most("bytes") / 1e6).toFixed(0)} MB a rank, in the way ${most("synchronousMs").toFixed(0)} ms, ` +
        `beside ${most("stallMs").toFixed(1)} ms still (ratio ${ratios.at(-1)?.toFixed(3)}), then ${most("writingMs").toFixed(0)} ms of writing, ` +
        `in which ${most("steps")} steps of ${most("stepMs").toFixed(0)} ms took ${most("slowerMs").toFixed(0)} ms longer in all`,
    );
  }
  const spread = (numbers: number[]) =>
    `${median(numbers).toFixed(3)} (${Math.min(...numbers).toFixed(3)} to ${Math.max(...numbers).toFixed(3)}, ${numbers.length} pairs)`;
  console.log(
    `stall of an asynchronous save: median ratio ${spread(ratios)} of a synchronous one's time, target at most ${TARGET}`,
  );
  console.log(
    `with the steps it slows down, by the cores the writing takes: median ratio ${spread(slowed)}`,
  );
}
