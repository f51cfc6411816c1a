import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import type { ObservedObject } from "../reconcile/observation.ts";
import { KeyedObjects } from "./keyed-objects.ts";

const keysOf = ({ metadata }: ObservedObject) => Object.keys(metadata.labels ?? {});
const anyChange = fc.record({
  uid: fc.constantFrom("a", "b", "c", "d"),
  keys: fc.option(fc.uniqueArray(fc.constantFrom("x", "y", "z"))),
});

it("finds by a key what has it now, whatever keys objects had before", () =>
  fc.assert(
    fc.property(fc.array(anyChange), (changes) => {
      const objects = new KeyedObjects(keysOf);
      const expected = new Map<string, string[]>();
      for (const { uid, keys } of changes) {
        if (keys === null) {
          assert.equal(objects.delete(uid), expected.delete(uid));
          continue;
        }
        const labels = Object.fromEntries(keys.map((key) => [key, ""]));
        const metadata = { name: uid, uid, resourceVersion: "1", labels };
        objects.put({ apiVersion: "v1", kind: "Pod", metadata });
        expected.set(uid, keys);
      }
      for (const key of ["x", "y", "z"]) {
        const found = objects.having(key).map(({ metadata }) => metadata.uid);
        const wanted = [...expected].flatMap(([uid, keys]) => (keys.includes(key) ? [uid] : []));
        assert.deepEqual(found.sort(), wanted.sort());
      }
      assert.equal(objects.values().length, expected.size);
    }),
  ));
