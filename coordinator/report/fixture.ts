import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toJsonString } from "@bufbuild/protobuf";
import {
  type Plan,
  PlanSchema,
  Recompute,
  Schedule,
  Scheme,
} from "../../proto/gen/moestro/v1/plan_pb.js";
import type { EventRecord, MetricsRecord, SummaryRecord, TimelineRecord } from "./records.ts";

/** A run's folder for tests, written file by file as a run would. */
export type RunFixture = {
  plan: Plan;
  metrics: MetricsRecord[];
  events: EventRecord[];
  summary: SummaryRecord;
  timeline: TimelineRecord;
};

export type FixtureSize = { steps: number; numLayers: number; numExperts: number };

const START = Date.UTC(2026, 10, 24, 5, 30, 0);
const TOKENS = 4096;

/** A run as the quickstart leaves it: two stages, learning and balancing. */
export function makeRun(size: Partial<FixtureSize> = {}): RunFixture {
  const full = { steps: 120, numLayers: 6, numExperts: 8, ...size };
  const metrics = Array.from({ length: full.steps }, (_, i) => makeMetrics(i + 1, full));
  const last = metrics.at(-1);
  return {
    plan: makePlan(full.numLayers),
    metrics,
    events: makeEvents(full.steps),
    summary: {
      runId: "quickstart-20261124-053000",
      name: "quickstart",
      status: "succeeded",
      reason: `All ${full.steps} steps are done.`,
      steps: full.steps,
      firstLoss: metrics[0]?.loss ?? null,
      finalLoss: last?.loss ?? null,
      validationLoss: last?.validationLoss ?? null,
      tokensPerSecond: 9876,
      meanDropRateFirst: 0.0812,
      meanDropRateLast: 0.0093,
      wallSeconds: 214.2,
      trainSeconds: 187.5,
      sample: "def read(self, size=-1):\n    if size < 0:\n        return self._buffer\n",
    },
    timeline: makeTimeline(full.steps),
  };
}

/** Noise in -1..1 that is the same on every machine. */
function noise(seed: number): number {
  const x = Math.sin(seed * 127.1) * 43758.5453;
  return (x - Math.floor(x)) * 2 - 1;
}

function makeMetrics(step: number, { steps, numLayers, numExperts }: FixtureSize): MetricsRecord {
  const done = step / steps;
  const loss = 1.9 + 3.6 * Math.exp(-6 * done) + 0.06 * noise(step);
  const validates = step % 20 === 0 || step === steps;
  const stepMs = 375 + 20 * noise(step + 0.5);
  return {
    step,
    loss,
    gradNorm: 0.4 + 2.2 * Math.exp(-9 * done) + 0.1 * noise(step + 0.2),
    lr: 0.003 * Math.min(1, done * 10) * (0.55 + 0.45 * Math.cos(Math.PI * done)),
    tokens: TOKENS,
    stepMs,
    tokensPerSecond: (TOKENS * 1000) / stepMs,
    layers: Array.from({ length: numLayers }, (_, layer) => {
      const skew = (0.3 + 0.7 / (1 + layer)) * (0.15 + Math.exp(-4 * done));
      const weights = Array.from({ length: numExperts }, (_, expert) =>
        Math.exp(
          skew * (noise(expert * 13 + layer * 7) + 0.25 * noise(step * 31 + expert + layer)),
        ),
      );
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      return {
        layer,
        dropRate: Math.max(0, 0.09 * skew * (1 + 0.2 * noise(step + layer))),
        auxCoeff: 0.01 * (0.2 + 0.8 * Math.exp(-3 * done)) * (0.4 + 0.6 / (1 + layer)),
        auxLoss: 0.02 * skew,
        expertLoad: weights.map((weight) => Math.round((weight / total) * TOKENS * 2)),
        ...(validates ? { expertSimilarity: 0.05 + 0.1 * done + 0.01 * layer } : {}),
      };
    }),
    memory: {
      peakBytes: 612e6,
      stages: [
        { stage: 0, peakBytes: 612e6 },
        { stage: 1, peakBytes: 540e6 },
      ],
    },
    stages: [
      { stage: 0, computeMs: 255 + 8 * noise(step), communicationMs: 48 },
      { stage: 1, computeMs: 239 + 8 * noise(step + 3), communicationMs: 41 },
    ],
    ...(validates ? { validationLoss: loss + 0.08 } : {}),
    time: new Date(START + step * 375).toISOString(),
  };
}

function makePlan(numLayers: number): Plan {
  const front = numLayers - Math.floor(numLayers / 3);
  const stage = (index: number, firstLayer: number, layers: number) => ({
    index,
    firstLayer,
    numLayers: layers,
    hasEmbedding: index === 0,
    hasHead: index === 1,
    recompute: Array.from({ length: layers }, () => Recompute.NONE),
    forwardFlops: 2.1e9 + index * 1e8,
    backwardFlops: 4.2e9 + index * 2e8,
    expertsPerRank: 4,
  });
  return create(PlanSchema, {
    layout: {
      scheme: Scheme.EDP,
      tensorParallel: 2,
      contextParallel: 1,
      pipelineParallel: 2,
      virtualPipeline: 1,
      dataParallel: 1,
      expertParallel: 2,
      expertTensorParallel: 1,
      expertDataParallel: 1,
      rankOrder: "tp-cp-ep-dp-pp",
    },
    stages: [stage(0, 0, front), stage(1, front, numLayers - front)],
    schedule: Schedule.SCHEDULE_1F1B,
    worldSize: 4,
    microBatchSize: 4,
    numMicroBatches: 8,
    prediction: {
      balance: 0.974,
      makespanFlops: 5.9e10,
      boundFlops: 5.7e10,
      bubbleFraction: 0.131,
      uniformMakespanFlops: 6.6e10,
      uniformLayers: [numLayers / 2, numLayers / 2],
      totalParameters: 7_300_000n,
      activeParameters: 2_140_000n,
      parametersPerRankMax: 2_050_000n,
    },
    reasons: [
      "EDP with EP = TP = 2: the expert all-to-all stays inside the tensor-parallel pair.",
      `Stages of [${front}, ${numLayers - front}]: the last stage also carries the head and the loss.`,
    ],
    numCandidates: 14,
  });
}

/** 1F1B over two stages and eight micro-batches, in 15 ms and 30 ms blocks. */
function makeTimeline(step: number): TimelineRecord {
  const count = 8;
  const tracks = [0, 1].map((stage) => {
    const order: [kind: "forward" | "backward", microBatch: number][] = [];
    const ahead = 2 - stage;
    for (let i = 0; i < count + ahead - 1; i += 1) {
      if (i < count) order.push(["forward", i]);
      if (i >= ahead - 1) order.push(["backward", i - ahead + 1]);
    }
    return order;
  });
  const done = new Map<string, number>();
  const events: TimelineRecord["stages"][number]["events"][] = [[], []];
  const clock = [0, 0];
  const next = [0, 0];
  while (tracks.some((track, stage) => (next[stage] ?? 0) < track.length)) {
    for (const stage of [0, 1]) {
      const item = tracks[stage]?.[next[stage] ?? 0];
      if (item === undefined) continue;
      const [kind, microBatch] = item;
      const from = kind === "forward" ? stage - 1 : stage + 1;
      const ready = from < 0 || from > 1 ? 0 : done.get(`${kind} ${from} ${microBatch}`);
      if (ready === undefined) continue;
      const startMs = Math.max(clock[stage] ?? 0, ready);
      const endMs = startMs + (kind === "forward" ? 14 : 29) + noise(microBatch + stage);
      done.set(`${kind} ${stage} ${microBatch}`, endMs);
      events[stage]?.push({ kind, microBatch, startMs, endMs });
      clock[stage] = endMs;
      next[stage] = (next[stage] ?? 0) + 1;
    }
  }
  const end = Math.max(...clock);
  return {
    step,
    stages: events.map((list, stage) => ({
      stage,
      events: [...list, { kind: "optimizer", microBatch: -1, startMs: end, endMs: end + 12 }],
    })),
  };
}

function makeEvents(steps: number): EventRecord[] {
  const at = (ms: number) => new Date(START + ms).toISOString();
  return [
    { time: at(0), event: "run.started", message: "Generation 1: starting 4 ranks on 1 node." },
    {
      time: at(900),
      event: "data.prepared",
      message:
        "Python standard library: 9.8 M training bytes of 512 files, 1.1 M validation bytes of 58.",
      trainTokens: 9_800_000,
    },
    { time: at(5200), event: "run.running", message: "All 4 ranks are ready." },
    {
      time: at(190_000),
      event: "checkpoint.committed",
      message: `Step ${steps} is committed.`,
      step: steps,
    },
    { time: at(191_000), event: "run.succeeded", message: `All ${steps} steps are done.` },
  ];
}

/** The files' texts; a test may change or delete some before writing them. */
export function fileTexts(run: RunFixture): Record<string, string> {
  const lines = (records: readonly unknown[]) =>
    records.map((r) => `${JSON.stringify(r)}\n`).join("");
  return {
    "plan.json": toJsonString(PlanSchema, run.plan),
    "metrics.jsonl": lines(run.metrics),
    "events.jsonl": lines(run.events),
    "summary.json": JSON.stringify(run.summary),
    "timeline.json": JSON.stringify(run.timeline),
  };
}

/** Writes files into a new folder and removes it when the test ends. */
export async function withRunDirectory<T>(
  files: Record<string, string>,
  use: (directory: string) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "moestro-report-"));
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}
