import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fixtureJob } from "../spec/job-fixture.ts";
import { controllerOptions } from "./options.ts";
import { type ReplayRecord, replay } from "./replay.ts";

const { job } = await fixtureJob({ controller: { smoothing: 0.5 } });
const options = controllerOptions(job);
const expertLoad = new Array<number>(job.moe.experts).fill(1);

/** Two layers; the coefficients follow by hand from alpha_0 = 0.01 and beta = 0.5. */
const RECORDS: ReplayRecord[] = [
  [0.02, 0.01, 0.5, 0.01],
  [0.0, 0.01, 0.0, 0.01],
  [0.0, 0.007, 0.0, 0.01],
  [0.0, 0.0035, 0.0, 0.005],
].map(([dropRate0 = 0, auxCoeff0 = 0, dropRate1 = 0, auxCoeff1 = 0], index) => ({
  step: index + 1,
  layers: [
    { layer: 1, dropRate: dropRate1, auxCoeff: auxCoeff1, expertLoad },
    { layer: 0, dropRate: dropRate0, auxCoeff: auxCoeff0, expertLoad },
  ],
}));

describe("replay", () => {
  it("finds no deviation in a run that followed the formula", () => {
    const { steps, largestDeviation } = replay(options, RECORDS);
    assert.equal(steps, 4);
    assert.ok(largestDeviation < 1e-17);
  });

  it("says where a run left the formula, and by how much", () => {
    const wrong = structuredClone(RECORDS);
    const layer = wrong[2]?.layers[1];
    assert.ok(layer !== undefined);
    layer.auxCoeff += 1e-4;
    const found = replay(options, wrong);
    assert.ok(Math.abs(found.largestDeviation - 1e-4) < 1e-15);
    assert.deepEqual([found.step, found.layer], [3, 0]);
  });

  it("refuses records with a step missing", () => {
    const gap = RECORDS.filter(({ step }) => step !== 2);
    assert.throws(() => replay(options, gap), /step 3 cannot follow step 1/);
  });

  it("has nothing to say of a run without steps", () =>
    assert.equal(replay(options, []).largestDeviation, 0));
});
