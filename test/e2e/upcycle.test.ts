import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { tinyJob, tinyTraining, Workplace } from "./moestro.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PYTHON = process.env.MOESTRO_PYTHON ?? join(ROOT, ".venv/bin/python");
const SCRIPT = join(ROOT, "test/e2e/loss_in_transformers.py");

const place = new Workplace();

/** What the README tells to type, from a dense model to a Mixture of Experts and back. */
function readmeCommands(): string[][] {
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  const section = /^## Start from a dense model\n(.*?)^## /ms.exec(readme)?.[1] ?? "";
  const lines = section.split("\n").filter((line) => line.startsWith("npx moestro "));
  return lines.map((line) =>
    line
      .replace(/\s+#.*/, "")
      .split(/\s+/)
      .slice(2),
  );
}

/** The examples, their files as the README names them, in fewer steps. */
function shortExamples(): void {
  mkdirSync(place.path("examples"));
  for (const name of ["dense.yaml", "upcycled.yaml"]) {
    const text = readFileSync(join(ROOT, "examples", name), "utf8");
    const short = text
      .replace(/steps: \d+/, "steps: 8")
      .replace(/warmupSteps: \d+/, "warmupSteps: 2");
    place.write(
      `examples/${name}`,
      short.replace(/validationBatches: \d+/, "validationBatches: 2"),
    );
  }
}

/** A job that looks at weights and leaves them as they are. */
function stillJob(weights: string, layout: Record<string, unknown>, ranks: number): string {
  return JSON.stringify({
    name: "still",
    model: { weights },
    data: { source: "python-standard-library" },
    training: {
      ...{ steps: 1, sequenceLength: 128, globalBatchSize: 16, microBatchSize: 4 },
      ...{ learningRate: 1e-12, validationBatches: 2, sampleBytes: 0 },
    },
    layout,
    cluster: { ranks, device: "cpu" },
  });
}

async function moestro(...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await place.run(args);
  assert.equal(exitCode, 0, `moestro ${args.join(" ")}: ${stderr}${stdout}`);
  return stdout;
}

async function validationLoss(runId: string, job?: string): Promise<number> {
  if (job !== undefined) {
    place.write(`${runId}.yaml`, job);
    await moestro("train", `${runId}.yaml`, "--json", "--run-id", runId);
  }
  const loss = place.metrics(runId).at(-1)?.validationLoss;
  assert.ok(loss);
  return loss;
}

function near(actual: number, expected: number, tolerance: number): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected}`);
}

before(async () => {
  shortExamples();
  for (const args of readmeCommands()) await moestro(...args);
});
after(() => place.remove());

test("the README's section has every command there is for weights but import", () => {
  const names = readmeCommands().map(([name]) => name);
  assert.deepEqual(names, ["train", "export-model", "upcycle", "train", "export-model"]);
});

test("an upcycled model starts with the dense model's loss, also in two stages", async () => {
  const dense = await validationLoss("dense");
  const stages = { scheme: "edp", stages: [3, 1] };
  near(await validationLoss("still", stillJob("models/upcycled", stages, 2)), dense, 1e-5);
});

test("an upcycled model's experts start as copies of each other, and part in training", () => {
  const similarities = (runId: string) => {
    const layers = place.metrics(runId).at(-1)?.layers ?? [];
    assert.equal(layers.length, 4);
    return layers.map(({ expertSimilarity }) => expertSimilarity ?? Number.NaN);
  };
  for (const similarity of similarities("still")) near(similarity, 1, 1e-5);
  for (const similarity of similarities("upcycled")) assert.ok(similarity < 1 - 1e-5);
});

test("a model exported after training has the same loss in Transformers, and when imported again", async () => {
  const trained = await validationLoss("upcycled");
  const manifest = place.path("runs/upcycled/checkpoints/step-00000008/manifest.json");
  const args = [SCRIPT, place.path("models/upcycled-hf"), manifest];
  const env = { ...process.env, PYTHONPATH: join(ROOT, "worker/engine") };
  const printed = execFileSync(PYTHON, args, { env, encoding: "utf8", stdio: "pipe" });
  near(Number(printed), trained, 1e-4);
  const told = await moestro("import", "models/upcycled-hf", "--out", "models/again");
  assert.match(told, /^models\/upcycled-hf: 4 layers of 16 experts top-2, hidden size 128/);
  const layout = { scheme: "edp", tensorParallel: 2 };
  near(await validationLoss("again", stillJob("models/again", layout, 2)), trained, 1e-5);
});

test("a run goes on with --resume from its own checkpoint, whatever became of the weights it started from", async () => {
  const text = readFileSync(place.path("again.yaml"), "utf8");
  place.write("again.yaml", text.replace('"steps":1', '"steps":2'));
  for (const name of readdirSync(place.path("models/again"))) {
    if (name.endsWith(".safetensors")) rmSync(place.path("models/again", name));
  }
  await moestro("train", "again.yaml", "--json", "--resume", "again");
  assert.deepEqual(
    place.metrics("again").map(({ step }) => step),
    [1, 2],
  );
});

type Case = {
  what: string;
  /** Makes the input; `job.yaml` is there for a job. */
  given?: () => void;
  args: string[];
  exitCode?: number;
  told: RegExp;
};

function spoil(name: string, change: (folder: string) => void): () => void {
  return () => {
    cpSync(place.path("models/dense"), place.path(name), { recursive: true });
    change(place.path(name));
  };
}

function configured(name: string, changes: object): () => void {
  return spoil(name, (folder) => {
    const path = join(folder, "config.json");
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), ...changes }));
  });
}

function job(overrides: Record<string, unknown>): () => void {
  return () => place.write("job.yaml", tinyJob({ moe: {}, layout: {}, ...overrides }));
}

const upcycle = (folder: string) => ["upcycle", folder, "--experts", "4", "--out", "models/new"];
const CASES: Case[] = [
  {
    what: "a folder that is not there",
    args: upcycle("nowhere"),
    told: /^nowhere\/config\.json: there is no such file; check the path\n$/,
  },
  {
    what: "a config of another family",
    given: configured("gpt", { model_type: "gpt2" }),
    args: upcycle("gpt"),
    told: /^gpt\/config\.json: model_type: "gpt2": moestro upcycle takes llama or mistral; use a model of that family\n$/,
  },
  {
    what: "a Mixture of Experts to upcycle",
    args: upcycle("models/upcycled-hf"),
    told: /^models\/upcycled-hf\/config\.json: model_type: "mixtral" has experts already, .* use moestro import\n$/,
  },
  {
    what: "a dense model to import",
    args: ["import", "models/dense", "--out", "models/new"],
    told: /^models\/dense\/config\.json: model_type: "llama" is dense, .* use moestro upcycle\n$/,
  },
  {
    what: "scaled RoPE",
    given: configured("scaled", { rope_scaling: { rope_type: "llama3", factor: 8 } }),
    args: upcycle("scaled"),
    told: /^scaled\/config\.json: rope_scaling: RoPE of type "llama3" is not supported/,
  },
  {
    what: "biases that the engine does not have",
    given: configured("biased", { attention_bias: true }),
    args: upcycle("biased"),
    told: /^biased\/config\.json: model\.qkvBias: the model has biases in attention/,
  },
  {
    what: "sizes that are not the weights'",
    given: configured("sized", { intermediate_size: 512 }),
    args: upcycle("sized"),
    told: /^sized\/model\.safetensors: model\.layers\.0\.mlp\.gate_proj\.weight has shape \[256, 128\], .* make it \[512, 128\]/,
  },
  {
    what: "truncated weights",
    given: spoil("cut", (folder) => truncateSync(join(folder, "model.safetensors"), 4096)),
    args: upcycle("cut"),
    told: /^cut\/model\.safetensors: damaged \(.*\); fetch it again\n$/,
  },
  {
    what: "weights that are a pickle",
    given: spoil("pickled", (folder) =>
      renameSync(join(folder, "model.safetensors"), join(folder, "pytorch_model.bin")),
    ),
    args: upcycle("pickled"),
    told: /^pickled\/pytorch_model\.bin: is a pickle, and moestro unpickles nothing; save the model as safetensors/,
  },
  {
    what: "more experts a token than there are",
    args: ["upcycle", "models/dense", "--experts", "2", "--top-k", "3", "--out", "models/new"],
    told: /^--top-k: 3 is more than --experts 2; use at most 2\n$/,
  },
  {
    what: "an output that exists",
    args: ["upcycle", "models/dense", "--experts", "4", "--out", "models/upcycled"],
    exitCode: 5,
    told: /^models\/upcycled: exists already; give --out a new folder\n$/,
  },
  {
    what: "an export of what is no run",
    args: ["export-model", "nothing", "--out", "models/new"],
    told: /^nothing: is neither a checkpoint nor a run in runs; give a run's id/,
  },
  {
    what: "a job with weights that are none",
    given: job({ model: { weights: "texts" } }),
    args: ["train", "job.yaml"],
    told: /^job\.yaml:\d+:\d+: model\.weights: texts: holds no checkpoint; give a folder of moestro import/,
  },
  {
    what: "a job with weights and a preset",
    given: job({ model: { weights: "models/upcycled", preset: "mixtral-8x7b" } }),
    args: ["train", "job.yaml"],
    told: /^job\.yaml:\d+:\d+: model\.weights: is given beside model\.preset; keep one of the two\n$/,
  },
  {
    what: "a job with other sizes than its weights",
    given: job({ model: { weights: "models/upcycled", layers: 3 }, moe: { experts: 8 } }),
    args: ["train", "job.yaml"],
    told: /^job\.yaml:\d+:\d+: model\.layers: 3, but model\.weights have 4; remove it\njob\.yaml:\d+:\d+: moe\.experts: 8, but model\.weights have 16; remove it\n$/,
  },
  {
    what: "experts that the layout does not divide",
    given: job({
      model: { weights: "models/upcycled" },
      layout: { scheme: "edp", tensorParallel: 3 },
      cluster: { ranks: 3, device: "cpu" },
    }),
    args: ["train", "job.yaml"],
    told: /^job\.yaml:\d+:\d+: layout\.tensorParallel: 3 /,
  },
  {
    what: "a job with damaged weights",
    given: () => {
      cpSync(place.path("models/upcycled"), place.path("flipped"), { recursive: true });
      const [shard = ""] = readdirSync(place.path("flipped")).filter((name) =>
        /safetensors$/.test(name),
      );
      const bytes = readFileSync(place.path("flipped", shard));
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
      writeFileSync(place.path("flipped", shard), bytes);
      job({ model: { weights: "flipped" }, cluster: { ranks: 1, device: "cpu" } })();
    },
    args: ["train", "job.yaml", "--plain"],
    told: /^.*flipped: g000000-rank-00000-of-00001\.safetensors is damaged: its checksum is not the manifest's; make it anew, or use another checkpoint\n$/,
  },
];

for (const { what, given, args, exitCode = 2, told } of CASES) {
  test(`refused in one line an error: ${what}`, async () => {
    given?.();
    const ended = await place.run(args);
    assert.match(ended.stderr, told);
    assert.equal(ended.exitCode, exitCode, ended.stderr);
    rmSync(place.path("models/new"), { recursive: true, force: true });
    assert.deepEqual(
      readdirSync(place.path("models")).filter((name) => name.endsWith(".partial")),
      [],
    );
  });
}

test("a gate that Mixtral does not have is refused with what to train instead", async () => {
  const training = { ...tinyTraining(1), warmupSteps: 0, validationEverySteps: 0, sampleBytes: 0 };
  const alone = { layout: {}, cluster: { ranks: 1, device: "cpu" }, training };
  place.write("job.yaml", tinyJob(alone));
  await moestro("train", "job.yaml", "--json", "--run-id", "normalising");
  const ended = await place.run(["export-model", "normalising", "--out", "models/new"]);
  assert.match(
    ended.stderr,
    /^moe\.gateNormalization: 1, .* moe\.gateNormalization: false can be exported\n$/,
  );
  assert.equal(ended.exitCode, 2);
});
