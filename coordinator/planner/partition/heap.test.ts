import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { MinHeap } from "./heap.ts";

it("a heap gives back what was pushed, least first, whenever it is asked", () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.integer())), (commands) => {
      const heap = new MinHeap<number>();
      const model: number[] = [];
      for (const command of commands) {
        if (command === null) {
          model.sort((a, b) => a - b);
          assert.equal(heap.pop()?.value, model.shift());
        } else {
          heap.push(command, command);
          model.push(command);
        }
        assert.equal(heap.size, model.length);
      }
    }),
  );
});
