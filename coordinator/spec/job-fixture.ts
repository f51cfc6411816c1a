import { stringify } from "yaml";
import { MoestroError } from "../errors.ts";
import { type JobFile, parseJob } from "./load-job.ts";

/** By section: a mapping extends the fixture's, anything else replaces it. */
export type JobChanges = Record<string, unknown>;

const FIXTURE: Record<string, unknown> = {
  name: "fixture",
  model: {
    layers: 6,
    hiddenSize: 192,
    heads: 6,
    kvHeads: 2,
    ffnHiddenSize: 256,
    vocabSize: 256,
  },
  data: { source: "python-standard-library" },
  training: {
    steps: 400,
    sequenceLength: 256,
    globalBatchSize: 16,
    microBatchSize: 4,
    learningRate: 3e-3,
  },
  moe: { experts: 8, topK: 2, capacityFactor: 1 },
  layout: { pipelineParallel: 2, tensorParallel: 2, scheme: "edp" },
  cluster: { ranks: 4 },
};

/** The text of a small valid job, for tests, with some of it changed. */
export function fixtureText(changes: JobChanges = {}): string {
  const job = { ...FIXTURE };
  for (const [section, change] of Object.entries(changes)) {
    const isPart = typeof change === "object" && change !== null && !Array.isArray(change);
    job[section] = isPart ? { ...(job[section] as object), ...change } : change;
  }
  return stringify(job);
}

/** A small valid job, for tests, with some of it changed. */
export function fixtureJob(changes: JobChanges = {}): Promise<JobFile> {
  return parseJob(fixtureText(changes), "/jobs/job.yaml", "job.yaml");
}

/** The lines of the error a job text is refused with. */
export async function refusal(text: string): Promise<readonly string[]> {
  try {
    await parseJob(text, "/jobs/job.yaml", "job.yaml");
  } catch (error) {
    if (error instanceof MoestroError) return error.lines;
    throw error;
  }
  return [];
}
