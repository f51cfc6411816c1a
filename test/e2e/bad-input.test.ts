import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { CheckpointLedger } from "../../coordinator/run/ledger.ts";
import { tinyJob, tinyTraining, Workplace } from "./moestro.ts";

const PYTHON =
  process.env.MOESTRO_PYTHON ?? fileURLToPath(new URL("../../.venv/bin/python", import.meta.url));
const place = new Workplace();

before(() => {
  place.write("job.yaml", tinyJob());
});
after(() => place.remove());

type Case = {
  what: string;
  job?: string;
  args?: string[];
  env?: NodeJS.ProcessEnv;
  exitCode: number;
  /** Where, what, rule, remedy; the whole of standard error. */
  told: RegExp;
};

const layout = (values: object) => ({ layout: { scheme: "edp", ...values } });

const CASES: Case[] = [
  {
    what: "a job file that is not there",
    args: ["train", "nowhere.yaml"],
    exitCode: 2,
    told: /^nowhere\.yaml: .*(no such file|does not exist).*\n$/,
  },
  {
    what: "YAML that does not parse",
    job: "name: tiny\nmodel: {layers: 3\n",
    exitCode: 2,
    told: /^bad\.yaml:\d+:\d+: .+\n$/,
  },
  {
    what: "an unknown key, with the nearest known one",
    job: tinyJob({ training: { ...tinyTraining(16), learningrate: 0.1 } }),
    exitCode: 2,
    told: /^bad\.yaml:\d+:\d+: training\.learningrate: .*did you mean.*learningRate.*\n$/,
  },
  {
    what: "a value of the wrong type",
    job: tinyJob({ training: { ...tinyTraining(16), steps: "many" } }),
    exitCode: 2,
    told: /^bad\.yaml:\d+:\d+: training\.steps: .*many.*whole number.*\n$/,
  },
  {
    what: "experts that expert parallelism does not divide",
    job: tinyJob({ moe: { experts: 3, topK: 2, capacityFactor: 1 } }),
    exitCode: 2,
    told: /^bad\.yaml:\d+:\d+: layout\.\w+: .*3 experts.*\n$/,
  },
  {
    what: "tensor parallelism that does not divide the heads",
    job: tinyJob({
      ...layout({ tensorParallel: 4, pipelineParallel: 1 }),
      moe: { experts: 4, topK: 2 },
    }),
    exitCode: 2,
    told: /^bad\.yaml:\d+:\d+: layout\.tensorParallel: 4 does not divide 2 attention heads; use 1 or 2\n$/,
  },
  {
    what: "more ranks than layers, heads and batch have use for",
    job: tinyJob({ layout: "auto", cluster: { ranks: 1000, device: "cpu" } }),
    exitCode: 2,
    told: /^bad\.yaml:\d+:\d+: cluster\.ranks: 1000 is more than .* ranks; use .*\n$/,
  },
  {
    what: "a layout that is legal but that the engine cannot run",
    job: tinyJob(layout({ pipelineParallel: 2, schedule: "zero-bubble", recompute: "selective" })),
    exitCode: 2,
    told: /^bad\.yaml:\d+:\d+: layout\.recompute: PyTorch cannot run .*; use none or full\n$/,
  },
  {
    what: "no Python",
    env: { MOESTRO_PYTHON: "/nonexistent/python" },
    exitCode: 4,
    told: /^\/nonexistent\/python: there is no Python here; set MOESTRO_PYTHON .*\n$/,
  },
  {
    what: "an option that does not exist",
    args: ["train", "job.yaml", "--fast"],
    exitCode: 2,
    told: /unknown option '--fast'/,
  },
  {
    what: "an address that is none",
    args: ["train", "job.yaml", "--listen", "everywhere"],
    exitCode: 2,
    told: /everywhere.*give host:port/,
  },
  {
    what: "a run to resume that is not there",
    args: ["train", "job.yaml", "--resume", "nothing"],
    exitCode: 2,
    told: /holds no run nothing; start one without --resume\n$/,
  },
];

for (const { what, job, args, env, exitCode, told } of CASES) {
  test(`${what}: one clear line, exit code ${exitCode}`, async () => {
    if (job !== undefined) place.write("bad.yaml", job);
    const ended = await place.run(
      args ?? ["train", job === undefined ? "job.yaml" : "bad.yaml"],
      env,
    );
    assert.match(ended.stderr, told);
    assert.equal(ended.exitCode, exitCode);
    assert.doesNotMatch(ended.stderr, /^\s+at /m);
    assert.deepEqual(place.processes(), []);
  });
}

test("every mistake of a file is told at once", async () => {
  const training = { ...tinyTraining(16), steps: -1, learningRate: "fast" };
  place.write("bad.yaml", tinyJob({ training, colour: "red" }));
  const { stderr } = await place.run(["plan", "bad.yaml"]);
  const lines = stderr.trim().split("\n");
  assert.equal(lines.length, 3, stderr);
  for (const line of lines) assert.match(line, /^bad\.yaml:\d+:\d+: /);
});

test("a torch that is too old is named with the version that is needed", async () => {
  const folder = place.path("old", "torch-1.13.0.dist-info");
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/METADATA`, "Metadata-Version: 2.1\nName: torch\nVersion: 1.13.0\n");
  const env = { PYTHONPATH: place.path("old"), MOESTRO_PYTHON: PYTHON };
  const { exitCode, stderr } = await place.run(["train", "job.yaml"], env);
  assert.equal(exitCode, 4);
  assert.match(stderr, /^\S+: torch is 1\.13\.0; the engine needs 2\.11 or later; .*\n$/);
});

test("a port that is taken is named, and no agent or rank is left", async () => {
  const holder = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => holder.once("listening", resolve));
  const { port } = holder.address() as AddressInfo;
  const ended = await place.run(["train", "job.yaml", "--json", "--listen", `127.0.0.1:${port}`]);
  holder.close();
  assert.equal(ended.exitCode, 4);
  assert.match(
    ended.stderr,
    new RegExp(`^--listen 127\\.0\\.0\\.1:${port}: another process listens on it; choose .*\\n$`),
  );
  await place.nothingLeft(2000);
});

test("a folder without text is told by the ranks as a mistake of the job", async () => {
  mkdirSync(place.path("empty"));
  place.write("bad.yaml", tinyJob({ data: { path: "empty" } }));
  const { exitCode, stdout } = await place.run(["train", "bad.yaml", "--json"]);
  assert.equal(exitCode, 2);
  const summary = JSON.parse(stdout.trim().split("\n").at(-1) ?? "{}") as { reason: string };
  assert.match(summary.reason, /empty holds no files; put text files into it/);
  await place.nothingLeft(2000);
});

test("a run folder that holds a run is not used again", async () => {
  mkdirSync(place.path("runs", "mine"), { recursive: true });
  writeFileSync(place.path("runs", "mine", "notes.txt"), "mine");
  const { exitCode, stderr } = await place.run(["train", "job.yaml", "--run-id", "mine"]);
  assert.equal(exitCode, 5);
  assert.match(stderr, /runs\/mine: holds a run already; .*choose another --run-id\n$/);
});

test("a disk without space holds the run up, and says so; with space it goes on", async () => {
  const disk = place.path("small-disk");
  mkdirSync(disk);
  // Room for the run's first files and some checkpoints of about 1 MB, not for sixteen.
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=5m", "moestro-test", disk]);
  try {
    place.write("keeps-all.yaml", tinyJob({ checkpoint: { everySteps: 1, keep: 1000 } }));
    const args = ["train", "keeps-all.yaml", "--json", "--runs-dir", disk, "--run-id", "full"];
    const run = place.start(args);
    const { message } = await run.line("event", (one) => /no space left/i.test(one.message));
    assert.match(message, /free some/);
    execFileSync("mount", ["-o", "remount,size=64m", disk]);
    const ended = await run.ended;
    assert.equal(ended.exitCode, 0, ended.stderr);
    assert.doesNotMatch(ended.stderr, /^\s+at /m);
    await place.nothingLeft(5000);
    const ledger = new CheckpointLedger(join(disk, "full", "checkpoints"));
    const newest = await ledger.newest((folder, why) => assert.fail(`${folder}: ${why}`));
    assert.equal(newest?.manifest.step, 16);
    const records = readFileSync(join(disk, "full", "metrics.jsonl"), "utf8")
      .trim()
      .split("\n");
    const steps = records.map((line) => (JSON.parse(line) as { step: number }).step);
    assert.deepEqual(
      steps,
      Array.from({ length: 16 }, (_, index) => index + 1),
    );
  } finally {
    execFileSync("umount", [disk]);
    rmSync(disk, { recursive: true });
  }
});
