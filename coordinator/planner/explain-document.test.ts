import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { describeDocument } from "./describe/describe-document.ts";
import { fixedValues } from "./describe/fixed-values.ts";
import { explainDocument } from "./explain-document.ts";
import { makePlan } from "./export/fixture.ts";
import type { PlanChoice, PlanDocument } from "./plan-document.ts";
import type { Constraints } from "./search/constraints.ts";

const FREE: Constraints = {
  ranks: 64,
  fixed: {},
  schedules: ["gpipe", "1f1b", "interleaved", "zero-bubble", "dualpipev"],
  recompute: ["none", "selective", "full"],
  target: "any",
};

/** The same choice, so many times as long. */
function longer({ best }: PlanDocument, times: number): PlanChoice {
  const stepTimeMs = best.predicted.stepTimeMs * times;
  return { ...best, predicted: { ...best.predicted, stepTimeMs } };
}

/** A plan under these constraints, with what a change makes of its baselines. */
function planned(
  constraints: Partial<Constraints>,
  baselines: (plan: PlanDocument) => Partial<PlanDocument["baselines"]> = () => ({}),
): { document: PlanDocument; why: (topic: string) => string } {
  const all = { ...FREE, ...constraints };
  const document = makePlan({ layers: [3, 4, 3], recompute: [["full", "none", "none"]] });
  document.fixed = fixedValues(all);
  Object.assign(document.baselines, baselines(document));
  const why = (topic: string) =>
    explainDocument(document, all).find((line) => line.startsWith(topic)) ?? "";
  return { document, why };
}

describe("what explains a plan", () => {
  it("names nothing as fixed when all is free", () =>
    assert.doesNotMatch(planned({}).why("Layout"), /fixed/));

  it("names everything that the job fixes", () => {
    const { why } = planned({
      fixed: { tensorParallel: 2, scheme: "ep" },
      microBatchSize: 1,
      virtualPipeline: 1,
      schedules: ["1f1b", "gpipe"],
      layersPerStage: [3, 4, 3],
      recompute: ["full"],
    });
    assert.match(
      why("Layout"),
      /with tensorParallel 2, scheme ep, microBatchSize 1, virtualPipeline 1, schedule 1f1b or gpipe, stages \[3,4,3\], recompute full fixed by the job/,
    );
    assert.match(why("Stages"), /^Stages: \[3,4,3\] decoder layers, as the job fixes them\./);
  });

  it("calls recompute the least that fits only where it was free", () => {
    assert.match(planned({}).why("Recompute"), /1 layers in full .*, the least that fits;/);
    assert.match(planned({ recompute: ["full"] }).why("Recompute"), /, as the job fixes it;/);
    const some = planned({ recomputePerLayer: ["full", undefined] });
    assert.match(some.why("Recompute"), /, as the job fixes that of 1 layers;/);
    const megatron = planned({ target: "megatron" });
    assert.match(megatron.why("Recompute"), /the least that fits and that megatron can be told;/);
  });

  it("says so where the uniform plan is faster than what the job fixes", () => {
    const slower = planned({}, (plan) => ({ uniform: longer(plan, 1.1) }));
    assert.match(slower.why("Uniform"), / would take 10\.0 % longer\.$/);
    const fixed = { layersPerStage: [3, 4, 3] };
    const faster = planned(fixed, (plan) => ({ uniform: longer(plan, 0.9) }));
    assert.match(faster.why("Uniform"), / is 10\.0 % faster than what the job fixes\.$/);
  });

  it("gives no difference a sign that reads twice", () => {
    const { why } = planned({}, (plan) => ({
      edp: longer(plan, 0.97),
      etp: longer(plan, 1),
    }));
    assert.match(why("Experts"), /edp would take 3\.0 % less, etp would take as long\.$/);
    const cheap = planned({ target: "megatron" }, (plan) => ({ unrestricted: longer(plan, 1.02) }));
    assert.match(cheap.why("Expressible"), /can be told costs nothing against/);
  });

  it("says that schemes were not asked for, rather than that they do not fit", () => {
    const asked = planned({ fixed: { scheme: "ep" } });
    assert.match(asked.why("Experts"), /; other schemes were not asked for\.$/);
    const text = describeDocument(asked.document, { color: false });
    assert.match(text, /best with scheme edp +not asked for/);
    const free = planned({});
    assert.match(free.why("Experts"), /no layout with edp fits, no layout with etp fits\.$/);
    assert.match(describeDocument(free.document, { color: false }), /scheme edp +no layout fits/);
  });

  it("speaks of no experts in a dense model", () => {
    const { document, why } = planned({});
    document.model.experts = 0;
    assert.equal(why("Experts"), "");
    const text = describeDocument(document, { color: false });
    assert.doesNotMatch(text, /scheme|experts|\bep\b|\betp\b|routing/);
  });
});
