import assert from "node:assert/strict";
import test from "node:test";
import { create } from "@bufbuild/protobuf";
import { PlanSchema } from "../../proto/gen/moestro/v1/plan_pb.js";
import { byRank, ranksOfStages, stageName } from "./chunks.ts";
import { makeRun } from "./fixture.ts";
import { html } from "./html.ts";
import type { RunFiles } from "./read-run.ts";
import { stageBalance } from "./sections/balance.ts";
import { planCard } from "./sections/plan.ts";
import { timeline } from "./sections/timeline.ts";

const chunked = create(PlanSchema, {
  layout: { pipelineParallel: 2, virtualPipeline: 2 },
  stages: [0, 1, 1, 0].map((pipelineRank, index) => ({
    ...{ index, pipelineRank, firstLayer: index, numLayers: 1 },
    recompute: [index === 1 ? 3 : 2],
  })),
  prediction: { memoryBytes: [2 ** 30, 2 ** 29], uniformMakespanFlops: Number.POSITIVE_INFINITY },
});

const events = (startMs: number) => [
  { kind: "forward" as const, microBatch: 0, startMs, endMs: startMs + 10 },
];

/** A run of four chunks on two ranks that work all the time, one after the other. */
function run(): RunFiles {
  const { metrics } = makeRun({ steps: 5 });
  const stages = [30, 10, 20, 10].map((computeMs, stage) => ({
    ...{ stage, computeMs, communicationMs: 1 },
  }));
  return {
    plan: chunked,
    metrics: metrics.map((record) => ({ ...record, stages })),
    timeline: {
      step: 5,
      stages: [0, 0, 10, 10].map((at, stage) => ({ stage, events: events(at) })),
    },
    ...{ stepsPerRecord: 1, events: [], eventsLeftOut: 0, notes: [] },
    ...{ firstEvent: undefined, dataPrepared: undefined, summary: undefined },
  };
}

const text = (part: ReturnType<typeof html> | undefined) => html`${part}`.text;

test("a stage is told with its rank only where ranks hold several", () => {
  const { plan } = makeRun({ steps: 1 });
  assert.equal(stageName(plan, 1), "stage 1");
  assert.equal(ranksOfStages(plan), undefined);
  assert.equal(stageName(chunked, 2), "stage 2 on rank 1");
});

test("entries of stages are grouped by the rank that holds them", () => {
  const entries = [0, 1, 2, 3].map((stage) => ({ stage }));
  const groups = byRank(chunked, entries).map((group) => group.entries.map(({ stage }) => stage));
  assert.deepEqual(groups, [
    [0, 3],
    [1, 2],
  ]);
  assert.equal(byRank(undefined, entries).length, 4);
});

test("the report adds up the chunks of a rank", () => {
  const balance = text(stageBalance(run()));
  // 30 + 10 against 10 + 20.
  assert.match(balance, /0\.875 measured/);
  assert.match(balance, /Stage 2 on rank 1/);
  assert.match(balance, /of 1\.00 GiB predicted for the rank/);
  const tracks = text(timeline(run()));
  assert.match(tracks, /Pipeline ranks were idle 0(\.0)? ?%/);
  assert.equal(tracks.match(/<span>rank \d<\/span>/g)?.length, 2);
});

test("the plan's card says what is recomputed in part and what memory was predicted", () => {
  const card = text(planCard(run()));
  assert.match(card, /<th>Rank<\/th>/);
  assert.match(card, /0 and 1 in part of 1/);
  assert.match(card, /1\.00 GiB, 512 MiB/);
  assert.match(card, /it does not fit the memory/);
});
