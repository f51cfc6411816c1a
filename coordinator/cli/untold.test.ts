import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { newOfLog } from "./log-chunks.ts";
import { Untold } from "./untold.ts";

test("however often a stream begins anew, each of its lines is told once", () => {
  const lengths = fc.array(fc.nat({ max: 20 }), { minLength: 1 });
  fc.assert(
    fc.property(lengths, (parts) => {
      const untold = new Untold();
      const told: number[] = [];
      for (const length of parts) {
        untold.again();
        for (let line = 0; line < length; line += 1) if (untold.take(1) > 0) told.push(line);
      }
      assert.deepEqual(
        told,
        Array.from({ length: Math.max(...parts) }, (_, line) => line),
      );
    }),
  );
});

test("a rank's bytes are told once, however they are cut", () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 100 });
  const cuts = fc.array(fc.integer({ min: 1, max: 10 }), { minLength: 1 });
  fc.assert(
    fc.property(bytes, cuts, fc.nat({ max: 100 }), (content, sizes, seen) => {
      const log = newOfLog(false);
      const told: number[] = [];
      for (const end of [seen, content.length]) {
        log.again();
        for (let at = 0, cut = 0; at < end; cut += 1) {
          const size = Math.min(sizes[cut % sizes.length] ?? 1, end - at, content.length - at);
          if (size <= 0) break;
          told.push(...(log.take(content.subarray(at, at + size)) as Uint8Array));
          at += size;
        }
      }
      assert.deepEqual(told, [...content]);
    }),
  );
});

test("ranks' lines come in another order from another coordinator, and are told once", () => {
  const log = newOfLog(true);
  const take = (text: string) => log.take(Buffer.from(text));
  assert.equal(take("rank 0 | a\nrank 1 | b\nrank 0 | "), "rank 0 | a\nrank 1 | b\n");
  log.again();
  assert.equal(take("rank 1 | b\nrank 1 | c\nrank 0 | a\n"), "rank 1 | c\n");
  assert.equal(take("rank 0 | d\n"), "rank 0 | d\n");
});
