import assert from "node:assert/strict";
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { RunDirectory } from "./run-directory.ts";
import { cutBehindNewest, supersede } from "./supersede.ts";

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

test("nothing is copied or cut off while it is not certain who leads", async () => {
  // Copied in several blocks.
  const lines = linesOf(1, 6, 1, 40_000).join("");
  writeFileSync(directory.metrics, lines);
  writeFileSync(directory.supersededMetrics, "");
  const copied: number[] = [];
  await supersede(directory, 2, () => {
    assert.equal(read(directory.metrics), lines);
    copied.push(read(directory.supersededMetrics).length);
    return copied.length % 2 === 0;
  });
  assert.ok(new Set(copied).size >= 3, String(copied));
  // No block was written where the answer had been no.
  for (let index = 0; index < copied.length; index += 2) {
    assert.equal(copied[index], copied[index + 1]);
  }
  assert.equal(read(directory.metrics), linesOf(1, 2, 1, 40_000).join(""));
  assert.equal(read(directory.supersededMetrics), linesOf(3, 6, 1, 40_000).join(""));
});

test("lines before those that a crash left copied are copied too, when a run goes back further", async () => {
  writeFileSync(directory.metrics, linesOf(1, 12, 1, 0).join(""));
  writeFileSync(directory.supersededMetrics, linesOf(9, 12, 1, 0).join(""));
  const { numSteps } = await supersede(directory, 4, () => true);
  assert.equal(numSteps, 8);
  assert.equal(read(directory.metrics), linesOf(1, 4, 1, 0).join(""));
  const copies = read(directory.supersededMetrics);
  for (const line of linesOf(5, 12, 1, 0)) assert.ok(copies.includes(line), line);
});

test("whichever line is damaged, what is kept and what is moved are of the right steps", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(20), fc.nat(19), async (kept, damaged) => {
      const lines = linesOf(1, 20, 1, 0).with(damaged, "\0".repeat(30).concat("\n"));
      writeFileSync(directory.metrics, lines.join(""));
      writeFileSync(directory.supersededMetrics, "");
      const { numSteps } = await supersede(directory, kept, () => true);
      const lost = damaged === 19 && kept < 20 ? 19 - kept : 20 - kept;
      assert.equal(numSteps, lost);
      const whole = (from: number, to: number) =>
        linesOf(from, to, 1, 0).filter((line) => !line.startsWith(`{"step":${damaged + 1},`));
      const [before, moved] = [read(directory.metrics), read(directory.supersededMetrics)];
      const isWhole = (line: string) => line !== "" && !line.startsWith("\0");
      const wholeIn = (text: string) => text.split("\n").filter(isWhole).join("\n");
      assert.equal(wholeIn(before), wholeIn(whole(1, kept).join("")));
      assert.equal(wholeIn(moved), wholeIn(whole(kept + 1, 20).join("")));
    }),
    { numRuns: 60 },
  );
});

test("a step that two coordinators wrote misleads nobody, wherever its second line lies", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(20), fc.nat(19), fc.nat(19), async (kept, one, other) => {
      const [step, behind] = [Math.min(one, other) + 1, Math.max(one, other) + 1];
      const lines = linesOf(1, 20, 1, 0);
      lines.splice(behind, 0, ...linesOf(step, step, 2, 0));
      writeFileSync(directory.metrics, lines.join(""));
      writeFileSync(directory.supersededMetrics, "");
      const { numSteps } = await supersede(directory, kept, () => true);
      assert.equal(numSteps, 20 - kept);
      const ofFirst = linesOf(1, 20, 1, 0);
      const left = read(directory.metrics).replace(linesOf(step, step, 2, 0).join(""), "");
      assert.equal(left, ofFirst.slice(0, kept).join(""));
      cutBehindNewest(directory.metrics);
      const steps = read(directory.metrics).match(/"step":\d+/g) ?? [];
      assert.equal(steps.at(-1), kept > 0 ? `"step":${kept}` : undefined);
    }),
    { numRuns: 200 },
  );
});
