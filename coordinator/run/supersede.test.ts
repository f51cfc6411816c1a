import assert from "node:assert/strict";
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { RunDirectory } from "./run-directory.ts";
import { supersede } from "./supersede.ts";

const directory = new RunDirectory(mkdtempSync(join(tmpdir(), "moestro-supersede-")));
after(() => rmSync(directory.path, { recursive: true }));

const linesOf = (from: number, to: number, attempt: number, width: number) =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => {
    const step = from + index;
    return `${JSON.stringify({ step, loss: 1 / step, attempt, text: "x".repeat(width) })}\n`;
  });

const read = (path: string) => (existsSync(path) ? readFileSync(path, "utf8") : "");

test("whatever a crash interrupts, each superseded line is there once and all before stay", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        kept: fc.nat(8),
        lost: fc.nat(8),
        /** Superseded by an earlier recovery, from the same step on. */
        earlier: fc.nat(3),
        width: fc.constantFrom(0, 70_000),
        /** Share of the copy that was written before a crash. */
        copied: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
        torn: fc.constantFrom("", '{"step":'),
      }),
      async ({ kept, lost, earlier, width, copied, torn }) => {
        const before = linesOf(1, kept, 1, width).join("");
        const tail = linesOf(kept + 1, kept + lost, 2, width).join("");
        const old = linesOf(kept + 1, kept + earlier, 1, width).join("");
        writeFileSync(directory.metrics, before + tail + torn);
        writeFileSync(directory.supersededMetrics, old);
        if (copied !== undefined) {
          const half = tail.slice(0, Math.round(copied * tail.length));
          appendFileSync(directory.supersededMetrics, half);
        }
        const { numSteps, first } = await supersede(directory, kept, () => true);
        if (lost > 0) assert.equal(read(directory.metrics), before);
        assert.equal(read(directory.supersededMetrics), old + tail);
        assert.equal(numSteps, lost);
        assert.deepEqual(first, lost > 0 ? { step: kept + 1, loss: 1 / (kept + 1) } : undefined);
      },
    ),
    { numRuns: 60 },
  );
});

test("nothing is cut off while it is not certain who leads", async () => {
  const lines = linesOf(1, 4, 1, 0).join("");
  writeFileSync(directory.metrics, lines);
  truncateSync(directory.supersededMetrics);
  let asked = 0;
  await supersede(directory, 2, () => {
    assert.equal(read(directory.metrics), lines);
    asked += 1;
    return asked > 1;
  });
  assert.equal(asked, 2);
  assert.equal(read(directory.metrics), linesOf(1, 2, 1, 0).join(""));
});
