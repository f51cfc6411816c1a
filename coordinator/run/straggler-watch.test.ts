import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { StepReportSchema } from "../../proto/gen/moestro/v1/report_pb.js";
import { type StragglerNews, StragglerWatch } from "./straggler-watch.ts";

/** What is told over steps in which rank `rank` of 4 takes `factor` times 10 ms. */
function steps(
  watch: StragglerWatch,
  count: number,
  factor: number,
  rank = 3,
  numRanks = 4,
): StragglerNews[] {
  return Array.from({ length: count }, () =>
    watch.add(
      create(StepReportSchema, {
        stages: [
          {
            ...{ stage: 1, numRanks, computeMs: 10 * factor, leastComputeMs: 10 },
            slowestRank: rank,
          },
        ],
      }),
    ),
  ).flat();
}

test("a rank three times as slow as the others is told once, with by how much", () => {
  const watch = new StragglerWatch();
  assert.deepEqual(steps(watch, 30, 1.1), []);
  const [news, ...more] = steps(watch, 30, 3);
  assert.match(
    news?.message ?? "",
    /rank 3 is slow: stage 1 computes 3\.0 times as long as the quickest/,
  );
  assert.deepEqual(more, []);
});

test("that it is over is told too", () => {
  const watch = new StragglerWatch();
  steps(watch, 10, 3);
  const [news] = steps(watch, 20, 1);
  assert.equal(news?.isSlow, false);
});

test("ranks that are slow in turn are no straggler", () => {
  const watch = new StragglerWatch();
  const told = Array.from({ length: 20 }, (_, index) => steps(watch, 1, 3, index % 4));
  assert.deepEqual(told.flat(), []);
});

test("a rank that is alone in its stage is held against its own past", () => {
  const watch = new StragglerWatch();
  assert.deepEqual(steps(watch, 60, 1, 3, 1), []);
  const [news] = steps(watch, 10, 3, 3, 1);
  assert.match(news?.message ?? "", /3\.0 times as long as it usually does/);
});
