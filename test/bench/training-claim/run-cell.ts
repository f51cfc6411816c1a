import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { stringify } from "yaml";
import type { MetricsRecord, SummaryRecord } from "../../../coordinator/report/records.ts";
import type { JobText } from "../jobs.ts";

const LAUNCHER = resolve(import.meta.dirname, "../../../bin/moestro.mjs");

/** A folder of runs, one a cell, each beside the job it came from. */
export class Runs {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(join(directory, "jobs"), { recursive: true });
  }

  /** Whether the cell was trained to its end, by this very job. */
  isFinished(id: string, job: JobText): boolean {
    const [jobFile, summaryFile] = [this.#job(id), this.#file(id, "summary.json")];
    if (!existsSync(jobFile) || !existsSync(summaryFile)) return false;
    const { status } = JSON.parse(readFileSync(summaryFile, "utf8")) as SummaryRecord;
    return status === "succeeded" && readFileSync(jobFile, "utf8") === stringify(job);
  }

  /** Trains a cell from its start; what an earlier try left is removed. */
  train(id: string, job: JobText): void {
    rmSync(join(this.#directory, id), { recursive: true, force: true });
    writeFileSync(this.#job(id), stringify(job));
    const args = ["train", this.#job(id), "--json", "--run-id", id, "--runs-dir", this.#directory];
    execFileSync(process.execPath, [LAUNCHER, ...args], { stdio: ["ignore", "ignore", "inherit"] });
    // The figures are what is wanted of the run.
    rmSync(this.#file(id, "checkpoints"), { recursive: true, force: true });
  }

  metrics(id: string): MetricsRecord[] {
    const lines = readFileSync(this.#file(id, "metrics.jsonl"), "utf8").trim().split("\n");
    return lines.map((line) => JSON.parse(line) as MetricsRecord);
  }

  #job(id: string): string {
    return join(this.#directory, "jobs", `${id}.yaml`);
  }

  #file(id: string, name: string): string {
    return join(this.#directory, id, name);
  }
}
