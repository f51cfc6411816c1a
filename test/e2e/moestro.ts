import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type {
  EventRecord,
  MetricsRecord,
  SummaryRecord,
} from "../../coordinator/report/records.ts";

const LAUNCHER = fileURLToPath(new URL("../../bin/moestro.mjs", import.meta.url));
/** Far above what anything here takes; a test that hits it has found a hang. */
const PATIENCE_MS = 120_000;

/** One line of `moestro train --json`. */
export type OutputLine =
  | ({ type: "step" } & MetricsRecord)
  | ({ type: "event" } & EventRecord)
  | ({ type: "summary" } & SummaryRecord);

export type LineOf<Type extends OutputLine["type"]> = Extract<OutputLine, { type: Type }>;

export type Ended = { exitCode: number | null; stdout: string; stderr: string };

/**
 * A folder of its own to be a user in: job files, texts, runs, and a home for
 * certificates and caches. Processes started here are known by that home.
 */
export class Workplace {
  readonly directory = mkdtempSync(join(tmpdir(), "moestro-e2e-"));
  readonly home = join(this.directory, "home");

  constructor() {
    mkdirSync(this.home);
    mkdirSync(join(this.directory, "texts"));
    for (let file = 0; file < 40; file += 1) {
      const lines = Array.from(
        { length: 60 },
        (_, line) => `def f${line}(x): return x + ${file}\n`,
      );
      writeFileSync(join(this.directory, "texts", `${file}.py`), lines.join(""));
    }
  }

  path(...names: string[]): string {
    return join(this.directory, ...names);
  }

  write(name: string, text: string): string {
    writeFileSync(this.path(name), text);
    return name;
  }

  /** Starts `moestro` with these arguments, in a session of its own as a terminal would. */
  start(args: readonly string[], env: NodeJS.ProcessEnv = {}): Command {
    const child = spawn(process.execPath, [LAUNCHER, ...args], {
      cwd: this.directory,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, MOESTRO_HOME: this.home, ...env },
    });
    return new Command(child);
  }

  run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
    return this.start(args, env).ended;
  }

  metrics(runId: string): MetricsRecord[] {
    const text = readFileSync(this.path("runs", runId, "metrics.jsonl"), "utf8");
    return text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as MetricsRecord);
  }

  /** Command lines of the processes that live in this workplace. */
  processes(): string[] {
    return readdirSync("/proc").flatMap((pid) => {
      if (!/^\d+$/.test(pid)) return [];
      try {
        if (!this.#lives(pid)) return [];
        const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
        return command === "" ? [] : [`${pid} ${command}`];
      } catch {
        return [];
      }
    });
  }

  /** By its environment, or by its folder: a Redis server writes its title over the former. */
  #lives(pid: string): boolean {
    const environment = readFileSync(`/proc/${pid}/environ`, "utf8");
    return (
      environment.split("\0").includes(`MOESTRO_HOME=${this.home}`) ||
      readlinkSync(`/proc/${pid}/cwd`).startsWith(`${this.home}/`)
    );
  }

  /** Waits until no process of this workplace is left; fails after `withinMs`. */
  async nothingLeft(withinMs: number): Promise<void> {
    const deadline = Date.now() + withinMs;
    while (this.processes().length > 0 && Date.now() < deadline) await sleep(20);
    assert.deepEqual(this.processes(), [], `still running after ${withinMs} ms`);
  }

  async remove(): Promise<void> {
    for (const line of this.processes()) process.kill(Number.parseInt(line, 10), "SIGKILL");
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** A running `moestro`. */
export class Command {
  readonly lines: OutputLine[] = [];
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  #waiting: (() => void)[] = [];

  constructor(child: ChildProcess) {
    this.#child = child;
    let stdout = "";
    let stderr = "";
    child.stderr?.on("data", (chunk) => {
      stderr += chunk;
    });
    if (child.stdout) {
      createInterface(child.stdout).on("line", (line) => {
        stdout += `${line}\n`;
        if (line.startsWith('{"')) this.lines.push(JSON.parse(line) as OutputLine);
        this.#wake();
      });
    }
    this.ended = new Promise((resolve) => {
      child.once("close", (exitCode) => {
        resolve({ exitCode, stdout, stderr });
        this.#wake();
      });
    });
  }

  /** Sends a signal to the whole foreground group, as Ctrl-C in a terminal does. */
  signal(signal: NodeJS.Signals): void {
    process.kill(-this.pid, signal);
  }

  get pid(): number {
    const { pid } = this.#child;
    assert.ok(pid);
    return pid;
  }

  /** The first line, of those there are and those to come, that `matches`. */
  async line<Type extends OutputLine["type"]>(
    type: Type,
    matches: (line: LineOf<Type>) => boolean,
  ): Promise<LineOf<Type>> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const found = this.lines
        .filter((line): line is LineOf<Type> => line.type === type)
        .find(matches);
      if (found) return found;
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        const { exitCode, stderr } = await this.ended;
        assert.fail(`ended with exit code ${exitCode} before the awaited line: ${stderr}`);
      }
      assert.ok(Date.now() < deadline, "the awaited line never came");
      await Promise.race([
        new Promise<void>((resolve) => this.#waiting.push(resolve)),
        sleep(1000, undefined, { ref: false }),
      ]);
    }
  }

  event(name: string): Promise<LineOf<"event">> {
    return this.line("event", (line) => line.event === name);
  }

  step(step: number): Promise<LineOf<"step">> {
    return this.line("step", (line) => line.step >= step);
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** A model that trains in milliseconds a step. Overrides are whole sections. */
export function tinyJob(overrides: Record<string, unknown> = {}): string {
  const job = {
    name: "tiny",
    model: {
      ...{ layers: 3, hiddenSize: 32, heads: 2, kvHeads: 2, ffnHiddenSize: 32, vocabSize: 256 },
    },
    data: { path: "texts", validationFraction: 0.2 },
    training: tinyTraining(16),
    moe: { experts: 4, topK: 2, capacityFactor: 1.0 },
    // Far from saturation, so that every layer's coefficient goes its own way.
    controller: { strict: true, gain: 0.02, initialCoefficient: 0.005 },
    layout: { pipelineParallel: 2, tensorParallel: 2, scheme: "edp" },
    cluster: { ranks: 4, device: "cpu" },
    checkpoint: { everySteps: 5 },
    ...overrides,
  };
  // JSON is YAML.
  return JSON.stringify(job, null, 2);
}

export function tinyTraining(steps: number): Record<string, unknown> {
  return {
    steps,
    ...{ sequenceLength: 64, globalBatchSize: 4, microBatchSize: 1, learningRate: 0.01 },
    ...{ warmupSteps: 4, validationEverySteps: 8, validationBatches: 1 },
    ...{ timelineEverySteps: 4, sampleBytes: 12 },
  };
}
