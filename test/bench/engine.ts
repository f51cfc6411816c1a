// How fast the engine is beside what the arithmetic and others allow, as ratios in
// one run: a MoE layer beside a dense one, a training step beside Transformers'
// Mixtral, and the expert schemes beside each other.
//
//   npm run bench:engine -- [--rounds 15] [--steps 20] [--compiled]
//
// --compiled adds a layer beside one that went through torch.compile: a minute, and it
// needs a C++ compiler.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { stringify } from "yaml";
import { pythonExecutable } from "../../coordinator/environment/python.ts";
import { median, shortJob } from "./jobs.ts";
import { byRound, medianOf, type Rounds, ratioText, readRounds } from "./rounds.ts";
import { rankEnvironment, startRanks, torchrunArguments } from "./start-ranks.ts";

const ROOT = resolve(import.meta.dirname, "../..");
/** The bounds on the two ratios. */
const LAYER_TARGET = 1.25;
const STEP_TARGET = 0.9;

/** The same attention, tensor parallel over 2 and data parallel over 2; only the experts lie differently. */
const SCHEMES = {
  edp: { expertParallel: 2, expertTensorParallel: 1 },
  ep: { expertParallel: 4, expertTensorParallel: 1 },
  etp: { expertParallel: 2, expertTensorParallel: 2 },
};

type Scheme = keyof typeof SCHEMES;
type StepTimes = { stepMs: number; communicationMs: number };

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "15" },
    steps: { type: "string", default: "20" },
    compiled: { type: "boolean", default: false },
  },
});
const scratch = mkdtempSync(join(tmpdir(), "moestro-bench-"));

try {
  compare(
    "layer.py",
    "dense",
    LAYER_TARGET,
    "a MoE layer over a dense SwiGLU of the same active FLOPs",
  );
  if (values.compiled) compareCompiled();
  compareSteps();
  await compareSchemes();
} finally {
  rmSync(scratch, { recursive: true });
}

/** Milliseconds by round, for every form, as a Python program of this folder prints them. */
function measure(program: string, ...args: string[]): Map<string, Rounds> {
  const path = join(import.meta.dirname, "engine", program);
  const options = { encoding: "utf8", env: rankEnvironment(1) } as const;
  const { status, stdout, stderr } = spawnSync(pythonExecutable(), [path, ...args], options);
  if (status !== 0) throw new Error(`${program} failed:\n${stderr}`);
  return readRounds(stdout);
}

/** Attention and norms behind torch.compile, over the layer as it is. */
function compareCompiled(): void {
  const times = measure("compiled.py", "--rounds", values.rounds);
  const ratio = ratioText(times.get("compiled") ?? new Map(), times.get("as it is") ?? new Map());
  console.log(`a decoder layer with torch.compile over one without: ${ratio}`);
}

/** Every form's time over the base's, round by round. */
function compare(program: string, base: string, target: number, what: string): void {
  const times = measure(program, "--rounds", values.rounds);
  const bases: Rounds = times.get(base) ?? new Map();
  console.log(`${what}, forward and backward; ${base} takes ${medianOf(bases).toFixed(2)} ms`);
  for (const [form, ms] of times) {
    if (form !== base) console.log(`  ${form}: ${ratioText(ms, bases)}, target at most ${target}`);
  }
}

/** The engine's step over the fastest of Transformers' paths. */
function compareSteps(): void {
  const times = measure("step.py");
  const ours: Rounds = times.get("moestro") ?? new Map();
  const theirs = [...times].filter(([form]) => form !== "moestro");
  console.log(`one rank's training step: moestro ${medianOf(ours).toFixed(1)} ms`);
  for (const [form, ms] of theirs) {
    console.log(`  over ${form} (${medianOf(ms).toFixed(1)} ms): ${ratioText(ours, ms)}`);
  }
  const [best] = theirs.toSorted(([, a], [, b]) => medianOf(a) - medianOf(b));
  if (!best) return;
  console.log(
    `  over the best of them: ${ratioText(ours, best[1])}, target at most ${STEP_TARGET}`,
  );
}

async function compareSchemes(): Promise<void> {
  const schemes = Object.keys(SCHEMES) as Scheme[];
  const starts = new Map<Scheme, { path: string; worldSize: number }>();
  for (const scheme of schemes) {
    const jobPath = join(scratch, `${scheme}.yaml`);
    writeFileSync(jobPath, stringify(schemeJob(scheme)));
    const { bytes, worldSize } = await startRanks(jobPath);
    const path = join(scratch, `${scheme}.bin`);
    writeFileSync(path, bytes);
    starts.set(scheme, { path, worldSize });
  }
  const times = new Map<Scheme, StepTimes[]>();
  for (let round = 0; round < 3; round += 1) {
    // In another order every round, so that drift favours none.
    for (const scheme of [...schemes.slice(round), ...schemes.slice(0, round)]) {
      const start = starts.get(scheme);
      if (start) times.set(scheme, [...(times.get(scheme) ?? []), stepTimes(start)]);
    }
  }
  const edp = byRound((times.get("edp") ?? []).map(({ stepMs }) => stepMs));
  console.log(
    "4 ranks, tp 2 x dp 2, the experts' mesh by scheme; step, and the part of it that waits for other ranks",
  );
  for (const scheme of schemes) {
    const rows = times.get(scheme) ?? [];
    const steps = rows.map(({ stepMs }) => stepMs);
    const waits = rows.map(({ communicationMs }) => communicationMs);
    const ratio = scheme === "edp" ? "" : `, edp over it: ${ratioText(edp, byRound(steps))}`;
    console.log(
      `  ${scheme}: ${median(steps).toFixed(1)} ms, ${median(waits).toFixed(1)} ms${ratio}`,
    );
  }
}

function schemeJob(scheme: Scheme) {
  const job = shortJob(join(ROOT, "examples/quickstart.yaml"), Number(values.steps));
  const sizes = { tensorParallel: 2, dataParallel: 2, pipelineParallel: 1, ...SCHEMES[scheme] };
  return { ...job, layout: sizes };
}

/** Medians over the steps behind the first few. */
function stepTimes({ path, worldSize }: { path: string; worldSize: number }): StepTimes {
  const args = [
    ...torchrunArguments(worldSize),
    "-m",
    "moestro_engine.standalone",
    path,
    "--reports",
    scratch,
  ];
  const options = { encoding: "utf8", env: rankEnvironment(worldSize) } as const;
  const result = spawnSync(pythonExecutable(), args, options);
  if (result.status !== 0) throw new Error(`torchrun failed:\n${result.stderr}`);
  const reports = readFileSync(join(scratch, "rank-0.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).step)
    .filter((step) => step !== undefined)
    .slice(5);
  return {
    stepMs: median(reports.map((step) => step.stepMs)),
    communicationMs: median(reports.map((step) => step.stages[0].communicationMs)),
  };
}
