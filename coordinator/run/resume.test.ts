import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { clone, create } from "@bufbuild/protobuf";
import {
  type EngineJob,
  EngineJobSchema,
  GateFunction,
} from "../../proto/gen/moestro/v1/job_pb.js";
import { LayoutSchema } from "../../proto/gen/moestro/v1/plan_pb.js";
import { CheckpointShardsSchema } from "../../proto/gen/moestro/v1/report_pb.js";
import { type ControllerOptions, createController, fold } from "../controller/controller.ts";
import { coefficientsMessage } from "../controller/message.ts";
import { restoreController } from "../controller/restore.ts";
import { CheckpointLedger } from "./ledger.ts";
import type { Manifest } from "./manifest.ts";
import { checkpointToResume, type ResumeNote } from "./resume.ts";

let directory: string;
let ledger: CheckpointLedger;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "moestro-resume-"));
  ledger = new CheckpointLedger(directory);
  commit(4);
});
afterEach(() => rmSync(directory, { recursive: true }));

function commit(
  step: number,
  files: { name: string; sizeBytes: bigint }[] = [],
  given: Partial<Manifest> = {},
): void {
  mkdirSync(ledger.folder(step));
  ledger.commit({
    runId: "r",
    generation: 1,
    step,
    shards: create(CheckpointShardsSchema, { step: BigInt(step), files }),
    layout: create(LayoutSchema, {}),
    job: jobWith(() => {}),
    sourceHash: "abc",
    controller: {},
    committedAt: "2026-01-01T00:00:00.000Z",
    ...given,
  });
}

const JOB = create(EngineJobSchema, {
  model: { numLayers: 6, hiddenSize: 64, numHeads: 4, headDim: 16, denseLayers: [0] },
  moe: { numExperts: 8, topK: 2, gateFunction: GateFunction.SOFTMAX, gateNormalization: 1 },
  training: { steps: 10n, globalBatchSize: 8, sequenceLength: 32, seed: 1n },
  data: { source: { case: "textPath", value: "/texts" } },
});

function jobWith(change: (job: EngineJob) => void): EngineJob {
  const job = clone(EngineJobSchema, JOB);
  change(job);
  return job;
}

const resume = (job: EngineJob) => checkpointToResume(ledger, job, () => {});

/** Asserts on a part of the job that every job has. */
function part<T>(section: T | undefined): T {
  assert.ok(section);
  return section;
}

const REFUSED: [what: string, change: (job: EngineJob) => void, told: RegExp][] = [
  [
    "another model names every setting that differs, with both values",
    ({ model }) => Object.assign(part(model), { hiddenSize: 128, headDim: 32 }),
    /step-00000004: was written by another model: model\.hiddenSize was 64, the job file says 128; model\.headDim was 16, the job file says 32; resume with/,
  ],
  [
    "other dense layers are another model",
    ({ model }) => Object.assign(part(model), { denseLayers: [0, 1] }),
    /the dense layers was 0, the job file says 0,1/,
  ],
  [
    "another gate function is another model",
    ({ moe }) => Object.assign(part(moe), { gateFunction: GateFunction.SIGMOID }),
    /moe\.gateFunction was softmax, the job file says sigmoid/,
  ],
  [
    "another normalisation of the gate is another model",
    ({ moe }) => Object.assign(part(moe), { gateNormalization: 0 }),
    /moe\.gateNormalization was 1, the job file says false; resume with/,
  ],
  [
    "another order of the data is refused",
    ({ training }) => Object.assign(part(training), { globalBatchSize: 16 }),
    /was trained with training\.globalBatchSize 8, the job file says 16; set it back/,
  ],
  [
    "a run that is complete has nothing left",
    ({ training }) => Object.assign(part(training), { steps: 4n }),
    /nothing is left to train; raise training\.steps/,
  ],
];

for (const [what, change, told] of REFUSED) {
  test(what, async () => {
    await assert.rejects(resume(jobWith(change)), told);
  });
}

test("what changes neither model nor data order may change", async () => {
  const job = jobWith(({ moe, training }) => {
    Object.assign(part(moe), { capacityFactor: 1.25 });
    Object.assign(part(training), { learningRate: 0.1, steps: 100n });
  });
  assert.equal((await resume(job))?.manifest.step, 4);
});

test("a checkpoint that does not say its gate function is of a softmax gate", async () => {
  const { manifest } = part(await resume(JOB));
  manifest.job = jobWith(({ moe }) => {
    Object.assign(part(moe), { gateFunction: GateFunction.UNSPECIFIED });
  });
  ledger.commit(manifest);
  assert.equal((await resume(JOB))?.manifest.step, 4);
});

test("of a damaged checkpoint it is said which file, and which checkpoint is used instead", async () => {
  commit(8, [{ name: "shard", sizeBytes: 5n }]);
  const notes: ResumeNote[] = [];
  const found = await checkpointToResume(ledger, JOB, (note) => notes.push(note));
  assert.equal(found?.manifest.step, 4);
  assert.equal(notes.length, 1);
  assert.equal(notes[0]?.kind, "checkpoint.damaged");
  assert.match(
    notes[0].message,
    /step-00000008: shard is missing; using the checkpoint of step 4 before it$/,
  );
});

const BIASED = jobWith(({ moe }) => {
  Object.assign(part(moe), { selectionBias: true });
});

test("a resume that leaves balancing by biases says that they are dropped, and goes on", async () => {
  commit(8, [], { job: BIASED });
  const notes: ResumeNote[] = [];
  const found = await checkpointToResume(ledger, JOB, (note) => notes.push(note));
  assert.equal(found?.manifest.step, 8);
  assert.equal(notes.length, 1);
  assert.equal(notes[0]?.kind, "checkpoint.biases-dropped");
  assert.match(
    notes[0].message,
    /step-00000008: was trained with moe\.balancing: bias, .* its biases are dropped .*; set moe\.balancing back to bias/,
  );
});

test("of biases that go on, or that begin, nothing is said", async () => {
  const fail = ({ message }: ResumeNote) => assert.fail(message);
  assert.equal((await checkpointToResume(ledger, BIASED, fail))?.manifest.step, 4);
  commit(8, [], { job: BIASED });
  assert.equal((await checkpointToResume(ledger, BIASED, fail))?.manifest.step, 8);
});

test("biases come back with the checkpoint as ranks of any layout are told them, bit for bit", async () => {
  const law: ControllerOptions = {
    ...{ balancing: "bias", initialCoefficient: 0.0001, biasUpdateSpeed: 0.1, numExperts: 2 },
    ...{ gain: 0.2, maxCoefficient: 0.01, smoothing: 0.5, effectiveAfterSteps: 2, denseLayers: [] },
  };
  const uneven = [1, 2, 3, 2, 1].map((load) => ({ layer: 0, dropRate: 0, expertLoad: [load, 4] }));
  const trained = uneven.reduce(
    (state, measure) => fold(law, state, state.lastStep + 1, [measure]),
    createController(law, 1),
  );
  commit(5, [], { job: BIASED, controller: { ...trained } });
  const { manifest } = part(await resume(BIASED));
  const restored = restoreController(law, manifest.controller, 1, manifest.step);
  const told = restored.scheduled.map(coefficientsMessage);
  assert.deepEqual(told, trained.scheduled.map(coefficientsMessage));
  assert.deepEqual(
    told.map(({ effectiveStep, biases }) => [effectiveStep, biases[0]?.values]),
    [
      [6n, [0.4, -0.4]],
      [7n, [0.5, -0.5]],
    ],
  );
});
