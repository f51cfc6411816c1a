import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { WriteError, writeError } from "./files.ts";
import { SyncedLines } from "./synced-lines.ts";

const directory = mkdtempSync(join(tmpdir(), "moestro-synced-"));
const path = join(directory, "lines");
after(() => rmSync(directory, { recursive: true }));

/** A sync takes all, or fails and leaves this share of what was written since the last one. */
const sync = fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined });
const act = fc.oneof(fc.record({ lines: fc.nat(5) }), fc.record({ sync }));

test("what a disk dropped before it was synced is written again, once and in order", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 20 }), async (acts) => {
      rmSync(path, { force: true });
      let left: number | undefined;
      let whole = 0;
      const lines = new SyncedLines(path, async (file) => {
        if (left === undefined) return file.sync();
        const { size } = statSync(path);
        truncateSync(path, whole + Math.round(left * (size - whole)));
        throw writeError(path, Object.assign(new Error("dropped"), { code: "EIO" }));
      });
      lines.open();
      let count = 0;
      for (const one of acts) {
        if ("lines" in one) {
          for (let more = one.lines; more > 0; more -= 1) lines.append({ line: ++count });
          continue;
        }
        left = one.sync;
        try {
          await lines.sync();
          whole = statSync(path).size;
        } catch (error) {
          assert.ok(error instanceof WriteError);
        }
      }
      left = undefined;
      await lines.sync();
      lines.close();
      const expected = Array.from({ length: count }, (_, index) => `{"line":${index + 1}}\n`);
      assert.equal(readFileSync(path, "utf8"), expected.join(""));
    }),
    { numRuns: 100 },
  );
});
