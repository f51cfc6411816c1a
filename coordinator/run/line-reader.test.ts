import assert from "node:assert/strict";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { LineReader } from "./line-reader.ts";

const directory = mkdtempSync(join(tmpdir(), "moestro-lines-"));
const path = join(directory, "lines");
after(() => rmSync(directory, { recursive: true }));

/** Lines that begin with their number; some are longer than what is read at a time. */
const lengths = fc.array(
  fc.oneof({ weight: 9, arbitrary: fc.nat(30) }, { weight: 1, arbitrary: fc.nat(200_000) }),
  { maxLength: 20 },
);
const torn = fc.constantFrom("", "cut sho", "ü".repeat(40_000));

test("lines are found by number from any place, whatever their lengths and a cut last line", () => {
  fc.assert(
    fc.property(lengths, torn, fc.nat(21), (sizes, rest, wanted) => {
      const lines = sizes.map((size, index) => `${index} ${"é".repeat(size)}`);
      writeFileSync(path, lines.map((line) => `${line}\n`).join("") + rest);
      const told = LineReader.read(path, (reader) => {
        const found = reader.find((text) => Number.parseInt(text, 10) >= wanted);
        return {
          found: found?.text,
          behind: [...reader.from(found?.offset ?? reader.end)].map(({ text }) => text),
          last: reader.last?.text,
        };
      });
      assert.deepEqual(told, {
        found: lines[wanted],
        behind: lines.slice(wanted),
        last: lines.at(-1),
      });
    }),
    { numRuns: 60 },
  );
});

test("a file that becomes shorter while it is read ends there", () => {
  fc.assert(
    fc.property(fc.nat(3000), fc.nat(600), (bytes, wanted) => {
      const lines = Array.from({ length: 600 }, (_, index) => `${index}`);
      writeFileSync(path, lines.map((line) => `${line}\n`).join(""));
      const read = LineReader.read(path, (reader) => {
        truncateSync(path, Math.min(bytes, reader.size));
        reader.find((text) => text !== "" && Number(text) >= wanted);
        return [...reader.from(0)].map(({ text }) => text);
      });
      // The line that is cut short may be told as far as it is there.
      const whole = read?.slice(0, -1) ?? [];
      assert.deepEqual(whole, lines.slice(0, whole.length));
    }),
  );
});

test("lines are told from the last to the first too", () => {
  fc.assert(
    fc.property(lengths, torn, (sizes, rest) => {
      const lines = sizes.map((size, index) => `${index} ${"é".repeat(size)}`);
      writeFileSync(path, lines.map((line) => `${line}\n`).join("") + rest);
      const told = LineReader.read(path, (reader) => {
        const texts: string[] = [];
        for (let line = reader.last; line; line = reader.before(line)) texts.unshift(line.text);
        return texts;
      });
      assert.deepEqual(told, lines);
    }),
    { numRuns: 30 },
  );
});

test("a file that is not there has no lines", () => {
  assert.equal(
    LineReader.read(join(directory, "none"), () => 1),
    undefined,
  );
});
