import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, truncateSync } from "node:fs";
import { open } from "node:fs/promises";
import { after, before, test } from "node:test";
import type { MetricsRecord, SummaryRecord } from "../../coordinator/report/records.ts";
import { tinyJob, tinyTraining, Workplace } from "./moestro.ts";

const place = new Workplace();

/** What must repeat bit for bit; times and memory need not. */
const trajectory = (records: MetricsRecord[]) =>
  records.map(({ step, loss, gradNorm, layers, validationLoss }) => ({
    ...{ step, loss, gradNorm, layers, validationLoss },
  }));

/** Two sources, three to one, on two tensor-parallel ranks. */
const blend = {
  sources: [{ path: "web.bin", weight: 3 }, { path: "code" }],
  validationFraction: 0.2,
};
const blendJob = (overrides: Record<string, unknown> = {}) =>
  tinyJob({
    data: blend,
    training: { ...tinyTraining(9), sampleBytes: 0 },
    layout: { scheme: "edp", pipelineParallel: 1, tensorParallel: 2 },
    cluster: { ranks: 2, device: "cpu" },
    ...overrides,
  });

before(async () => {
  const rows = Array.from({ length: 600 }, (_, row) =>
    JSON.stringify({ id: row, body: `row ${row} of the web, and what it says of ${row * 7}` }),
  );
  place.write("web.jsonl", `${rows.join("\n")}\n`);
  const prepare = ["data", "prepare", "--append-eod", "--workers", "2"];
  const web = await place.run([...prepare, "web.jsonl", "--field", "body", "--out", "web"]);
  assert.equal(web.exitCode, 0, web.stderr);
  assert.match(web.stdout, /^web\.bin: .* tokens \(\d+\) in 600 documents; largest token 121, /);
  const code = await place.run([...prepare, "texts", "--out", "code"]);
  assert.equal(code.exitCode, 0, code.stderr);
  assert.match(code.stdout, /in 40 documents/);
  place.write("job.yaml", blendJob());
});
after(() => place.remove());

test("token files are trained on, blended, and a run that was stopped goes on bit-identically", async () => {
  const whole = await place.run(["train", "job.yaml", "--json", "--run-id", "whole"]);
  assert.equal(whole.exitCode, 0, whole.stderr);
  const first = place.start(["train", "job.yaml", "--json", "--run-id", "parts"]);
  await first.step(3);
  first.signal("SIGINT");
  assert.equal((await first.ended).exitCode, 130);
  const resumed = await place.run(["train", "job.yaml", "--json", "--resume", "parts"]);
  assert.equal(resumed.exitCode, 0, resumed.stderr);
  const steps = place.metrics("whole");
  assert.deepEqual(trajectory(place.metrics("parts")), trajectory(steps));
  assert.ok((steps.at(-1)?.loss ?? 9) < (steps[0]?.loss ?? 0) - 0.2);
  const summary = readFileSync(place.path("runs", "whole", "summary.json"), "utf8");
  assert.ok((JSON.parse(summary) as SummaryRecord).validationLoss);
});

test("another layout trains on the same samples", async () => {
  const layout = { scheme: "edp", pipelineParallel: 1, tensorParallel: 1, dataParallel: 2 };
  // Dropless, so that how tokens lie on ranks does not matter.
  const moe = { experts: 4, topK: 2, capacityFactor: "dropless" };
  const losses = [];
  for (const [name, ranks] of Object.entries({ one: 1, two: 2 })) {
    const cluster = { ranks, device: "cpu" };
    const training = { ...tinyTraining(4), sampleBytes: 0 };
    place.write(
      "layout.yaml",
      blendJob({ moe, training, cluster, layout: { ...layout, dataParallel: ranks } }),
    );
    const ended = await place.run(["train", "layout.yaml", "--json", "--run-id", name]);
    assert.equal(ended.exitCode, 0, ended.stderr);
    losses.push(place.metrics(name).map(({ loss }) => loss));
  }
  const [one = [], two = []] = losses;
  for (const [step, loss] of one.entries()) {
    assert.ok(Math.abs(loss - (two[step] ?? 0)) < 1e-4, `${one} against ${two}`);
  }
});

test("other weights would change the data order, so the run does not go on with them", async () => {
  const [web, code] = blend.sources;
  place.write(
    "other.yaml",
    blendJob({
      data: { ...blend, sources: [web, { ...code, weight: 2 }] },
      training: tinyTraining(20),
    }),
  );
  const ended = await place.run(["train", "other.yaml", "--json", "--resume", "whole"]);
  assert.equal(ended.exitCode, 2, ended.stderr);
  assert.match(ended.stderr, /^.*data.*; (set it|put it) back, or start a new run\n$/);
  await place.nothingLeft(5000);
});

/** Trains on `data`, which the ranks refuse; why, as the summary has it. */
async function refused(data: unknown): Promise<string> {
  place.write("bad.yaml", tinyJob({ data }));
  const { exitCode, stdout, stderr } = await place.run(["train", "bad.yaml", "--json"]);
  assert.equal(exitCode, 2, stderr);
  await place.nothingLeft(5000);
  return (JSON.parse(stdout.trim().split("\n").at(-1) ?? "{}") as { reason: string }).reason;
}

/** A tokenizer.json of so many words, w0 and on. */
function wordTokenizer(size: number): string {
  const vocab = Object.fromEntries(Array.from({ length: size }, (_, word) => [`w${word}`, word]));
  return JSON.stringify({
    ...{ version: "1.0", truncation: null, padding: null, added_tokens: [], normalizer: null },
    ...{ pre_tokenizer: { type: "Whitespace" }, post_processor: null, decoder: null },
    model: { type: "WordLevel", vocab, unk_token: "w0" },
  });
}

test("a data file of another vocabulary is refused with the token and where it is", async () => {
  place.write("words.json", wordTokenizer(400));
  place.write("words.txt", "w1 w2 w3 w399 ".repeat(300));
  const prepare = ["data", "prepare", "words.txt", "--tokenizer", "words.json", "--out", "words"];
  const prepared = await place.run(prepare);
  assert.equal(prepared.exitCode, 0, prepared.stderr);
  assert.match(
    await refused({ path: "words.bin" }),
    /data\.path: \S+words\.bin: token 399 at position 3 is not in the model's vocabulary of 256; the file was made with a vocabulary of 400; set model\.vocabSize /,
  );
});

test("no text is sampled from a model of words, and the run says why", async () => {
  const { model } = JSON.parse(tinyJob({})) as { model: Record<string, unknown> };
  place.write(
    "words.yaml",
    tinyJob({
      data: { path: "words.bin", validationFraction: 0.2 },
      model: { ...model, vocabSize: 400 },
      training: tinyTraining(4),
    }),
  );
  const ended = await place.run(["train", "words.yaml", "--json", "--run-id", "words"]);
  assert.equal(ended.exitCode, 0, ended.stderr);
  const [events, summary] = ["events.jsonl", "summary.json"].map((name) =>
    readFileSync(place.path("runs", "words", name), "utf8"),
  );
  assert.match(
    events ?? "",
    /no text is sampled: that takes a token a byte, and the data's tokens are of tokenizer words\.json/,
  );
  assert.equal((JSON.parse(summary ?? "{}") as SummaryRecord).sample, null);
});

test("a truncated .bin is refused with both sizes", async () => {
  for (const ending of ["bin", "idx"]) {
    copyFileSync(place.path(`web.${ending}`), place.path(`cut.${ending}`));
  }
  truncateSync(place.path("cut.bin"), 1000);
  assert.match(
    await refused({ sources: [{ path: "web.bin" }, { path: "cut.bin" }] }),
    /data\.sources: \S+cut\.bin: is truncated: expected \d+ bytes by cut\.idx, found 1000; copy or make the pair anew/,
  );
});

test("an .idx of another format is refused", async () => {
  copyFileSync(place.path("web.bin"), place.path("odd.bin"));
  place.write("odd.idx", "TNTIDX\0\0 and so on, longer than a header would be");
  assert.match(
    await refused({ path: "odd.bin" }),
    /data\.path: .*odd\.idx: is no index of a Megatron \.bin: it starts with /,
  );
});

test("a weight that is none is refused in the job file", async () => {
  const sources = [{ path: "web.bin", weight: 0 }];
  place.write("bad.yaml", tinyJob({ data: { sources } }));
  const { exitCode, stderr } = await place.run(["train", "bad.yaml"]);
  assert.equal(exitCode, 2, stderr);
  assert.match(stderr, /^bad\.yaml:\d+:\d+: data\.sources\[0\]\.weight: 0 .*a number above 0.*\n$/);
});

type Refusal = { what: string; args: string[]; exitCode: number; told: RegExp };

const REFUSALS: Refusal[] = [
  {
    what: "a line without the field",
    args: ["web.jsonl", "--out", "x"],
    exitCode: 2,
    told: /^data prepare: web\.jsonl:1: there is no field text; its fields: id, body; name one as --field\n$/,
  },
  {
    what: "a file that is no Parquet",
    args: ["odd.parquet", "--out", "x"],
    exitCode: 2,
    told: /^data prepare: odd\.parquet: cannot be read as Parquet: .*\n$/,
  },
  {
    what: "empty input",
    args: ["empty.txt", "--out", "x"],
    exitCode: 2,
    told: /^(data prepare: 100%.*\n)?data prepare: the inputs hold no text.*\n$/,
  },
  {
    what: "output that is there already",
    args: ["texts", "--out", "web"],
    exitCode: 2,
    told: /^data prepare: --out: web\.bin is there already; .*--overwrite\n$/,
  },
  {
    what: "no workers",
    args: ["texts", "--out", "x", "--workers", "0"],
    exitCode: 2,
    told: /^error: option '--workers <n>' argument '0' is invalid\. give a whole number.*\n$/,
  },
];

for (const { what, args, exitCode, told } of REFUSALS) {
  test(`data prepare refuses ${what} with one line`, async () => {
    place.write("odd.parquet", "PAR0");
    place.write("empty.txt", "");
    const ended = await place.run(["data", "prepare", ...args]);
    assert.equal(ended.exitCode, exitCode, ended.stderr);
    assert.match(ended.stderr, told);
    assert.ok(!readdirSync(place.directory).some((name) => name.startsWith("x.")));
  });
}

test("a disk that fills up leaves no half file", async () => {
  mkdirSync(place.path("full"));
  place.write("large.txt", "x".repeat(3_000_000));
  // A limit on the size of files is the nearest to a full disk that any user can have.
  const script = `ulimit -f 1024; exec "$0" "$@"`;
  const launcher = new URL("../../bin/moestro.mjs", import.meta.url).pathname;
  const args = [launcher, "data", "prepare", "large.txt", "--out", "full/large"];
  const child = spawn("bash", ["-c", script, process.execPath, ...args], {
    cwd: place.directory,
    env: { ...process.env, MOESTRO_HOME: place.home },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const exitCode = await new Promise((resolve) => child.once("close", resolve));
  assert.equal(exitCode, 4, stderr);
  assert.match(stderr, /data prepare: full\/large: File too large; free some or write elsewhere/);
  assert.deepEqual(readdirSync(place.path("full")), []);
});

test("Ctrl-C ends data prepare at once, with nothing written and no process left", async () => {
  mkdirSync(place.path("stopped"));
  execFileSync("mkfifo", [place.path("endless.txt")]);
  const command = place.start(["data", "prepare", "endless.txt", "--out", "stopped/x"]);
  // Opens once a worker reads, and then gives it nothing.
  const pipe = await open(place.path("endless.txt"), "w");
  command.signal("SIGINT");
  const { exitCode, stderr } = await command.ended;
  await pipe.close();
  assert.equal(exitCode, 130, stderr);
  assert.equal(stderr, "data prepare: interrupted; nothing was written\n");
  assert.deepEqual(readdirSync(place.path("stopped")), []);
  await place.nothingLeft(5000);
});
