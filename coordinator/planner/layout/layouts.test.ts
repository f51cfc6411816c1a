import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { enumerateLayouts } from "./enumerate-layouts.ts";
import { checkSizes, legalValues, SIZE_NAMES } from "./size-rules.ts";
import { divisors, type LayoutLimits, schemeOf } from "./sizes.ts";

const limitsArbitrary: fc.Arbitrary<LayoutLimits> = fc
  .record({
    ranks: fc.integer({ min: 1, max: 96 }),
    layers: fc.integer({ min: 1, max: 60 }),
    kvHeads: fc.constantFrom(1, 2, 3, 4, 8),
    queriesPerKv: fc.constantFrom(1, 2, 3, 4),
    experts: fc.constantFrom(1, 4, 7, 8, 12, 16, 64),
    ffnHiddenSize: fc.constantFrom(96, 100, 256),
    sequenceLength: fc.constantFrom(30, 128, 256, 384),
    microBatchSize: fc.constantFrom(undefined, 1, 2, 3),
    replicas: fc.integer({ min: 1, max: 48 }),
  })
  .map(({ queriesPerKv, replicas, ...rest }) => ({
    ...rest,
    heads: rest.kvHeads * queriesPerKv,
    globalBatchSize: replicas * (rest.microBatchSize ?? 1),
  }));

/** Skywork-MoE's numbers on some ranks. */
const skywork = (ranks: number): LayoutLimits => ({
  ranks,
  layers: 52,
  heads: 36,
  kvHeads: 36,
  experts: 16,
  ffnHiddenSize: 12_288,
  sequenceLength: 8192,
  globalBatchSize: 3072,
});

describe("legalValues", () => {
  it("cuts dense layers and shared experts over tensor-parallel ranks without a rest", () => {
    const wide = { ...skywork(12), heads: 12, kvHeads: 12, sequenceLength: 12 * 512 };
    assert.deepEqual(legalValues("tensorParallel", wide), [1, 2, 3, 4, 6, 12]);
    const values = (limits: object) => legalValues("tensorParallel", { ...wide, ...limits });
    assert.deepEqual(values({ denseFfnHiddenSize: 100 }), [1, 2, 4]);
    assert.deepEqual(values({ sharedFfnHiddenSize: 90 }), [1, 2, 3, 6]);
    const [problem] = checkSizes({ tensorParallel: 3 }, { ...wide, denseFfnHiddenSize: 100 });
    assert.match(problem?.message ?? "", /^3 does not divide 100 columns of a dense layer .*; use/);
  });
});

describe("enumerateLayouts", () => {
  it("gives layouts that obey every rule, each once", () => {
    fc.assert(
      fc.property(limitsArbitrary, (limits) => {
        const seen = new Set<string>();
        for (const layout of enumerateLayouts(limits)) {
          const { tensorParallel: tp, contextParallel: cp, pipelineParallel: pp } = layout;
          const { dataParallel: dp, expertParallel: ep, expertTensorParallel: etp } = layout;
          assert.equal(tp * cp * dp * pp, limits.ranks);
          assert.equal(etp * ep * layout.expertDataParallel * pp, limits.ranks);
          assert.equal(limits.experts % ep, 0);
          assert.equal(limits.ffnHiddenSize % etp, 0);
          assert.equal(limits.heads % tp, 0);
          assert.ok(limits.kvHeads % tp === 0 || tp % limits.kvHeads === 0);
          assert.ok(cp === 1 || limits.sequenceLength % (2 * cp) === 0);
          assert.equal(limits.sequenceLength % (tp * cp), 0);
          assert.equal(limits.globalBatchSize % (dp * (limits.microBatchSize ?? 1)), 0);
          assert.ok(pp <= limits.layers);
          assert.equal(layout.scheme, schemeOf(layout));
          assert.deepEqual(checkSizes(layout, limits), []);
          seen.add(JSON.stringify(layout));
        }
        assert.equal(seen.size, [...enumerateLayouts(limits)].length);
      }),
    );
  });

  it("misses none that brute force finds", () => {
    const limits = { ...skywork(24), globalBatchSize: 8 };
    const all = divisors(24);
    let count = 0;
    for (const tp of all.filter((tp) => 36 % tp === 0 && 8192 % tp === 0)) {
      for (const cp of all.filter((cp) => cp === 1 || 8192 % (2 * cp) === 0)) {
        for (const pp of all) {
          const dp = 24 / (tp * cp * pp);
          if (!Number.isInteger(dp) || 8 % dp !== 0) continue;
          for (const ep of all.filter((ep) => 16 % ep === 0)) {
            for (const etp of all.filter((etp) => 12_288 % etp === 0)) {
              if ((tp * cp * dp) % (ep * etp) === 0) count++;
            }
          }
        }
      }
    }
    assert.equal([...enumerateLayouts(limits)].length, count);
  });

  it("keeps what is fixed and offers what is left", () => {
    fc.assert(
      fc.property(limitsArbitrary, fc.integer({ min: 0 }), (limits, pick) => {
        const all = [...enumerateLayouts(limits)];
        const chosen = all[pick % Math.max(1, all.length)];
        if (chosen === undefined) return;
        const { tensorParallel, scheme } = chosen;
        const kept = [...enumerateLayouts(limits, { tensorParallel, scheme })];
        const expected = all.filter(
          (layout) => layout.tensorParallel === tensorParallel && layout.scheme === scheme,
        );
        assert.deepEqual(kept, expected);
      }),
    );
  });

  it("bounds Skywork's EP at 192 ranks and ETP at 768, but not EDP", () => {
    // PP 12 and TP 4 fixed, one copy of the experts, as the report compares them.
    const fixed = { pipelineParallel: 12, tensorParallel: 4, contextParallel: 1 };
    const reaches = (scheme: "ep" | "etp" | "edp", ranks: number) =>
      enumerateLayouts(skywork(ranks), { ...fixed, scheme }).some(
        ({ expertDataParallel }) => scheme === "edp" || expertDataParallel === 1,
      );
    assert.deepEqual(
      [192, 384].map((ranks) => reaches("ep", ranks)),
      [true, false],
    );
    assert.deepEqual(
      [768, 1536].map((ranks) => reaches("etp", ranks)),
      [true, false],
    );
    assert.ok(reaches("edp", 1536));
  });
});

describe("a size fixed by hand", () => {
  it("is refused with legal values only, and 1 is always legal", () => {
    fc.assert(
      fc.property(
        limitsArbitrary,
        fc.constantFrom(...SIZE_NAMES),
        fc.integer({ min: 1, max: 100 }),
        (limits, name, value) => {
          const legal = legalValues(name, limits);
          assert.ok(legal.includes(1));
          const [problem] = checkSizes({ [name]: value }, limits);
          assert.equal(problem === undefined, legal.includes(value));
          const offered = problem?.message.split("; use ")[1]?.match(/\d+/g)?.map(Number) ?? [];
          assert.ok(offered.every((other) => legal.includes(other)));
        },
      ),
    );
  });

  it("is answered with the nearest legal values", () => {
    assert.deepEqual(checkSizes({ tensorParallel: 5 }, { ...skywork(144), sequenceLength: 144 }), [
      {
        path: ["layout", "tensorParallel"],
        message: "5 does not divide 36 attention heads; use 2, 3, 4, 6, 9 or 12",
      },
    ]);
  });
});
