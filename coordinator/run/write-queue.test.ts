import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { writeError } from "./files.ts";
import { type Write, WriteQueue } from "./write-queue.ts";

const FULL = Object.assign(new Error("full"), { code: "ENOSPC" });

/** A queue over a disk that may be full, and what has been written there. */
function disk() {
  const state = { full: false, written: [] as number[][], told: [] as string[] };
  const queue = new WriteQueue({
    mayWrite: () => true,
    stuck: ({ problem }) => state.told.push(problem),
    unstuck: () => state.told.push("written"),
  });
  const put = (items: number[]) => {
    if (state.full) throw writeError("disk", FULL);
    state.written.push(items);
  };
  const step = (items: number[]): NumbersWrite => new NumbersWrite(items, put);
  return { state, queue, put, step };
}

class NumbersWrite implements Write {
  readonly items: number[];
  readonly #put: (items: number[]) => void;

  constructor(items: number[], put: (items: number[]) => void) {
    this.items = items;
    this.#put = put;
  }

  run(): void {
    this.#put(this.items);
  }

  join(next: Write, _isShort: boolean): Write | undefined {
    if (!(next instanceof NumbersWrite)) return undefined;
    return new NumbersWrite([...this.items, ...next.items], this.#put);
  }
}

test("what a disk takes is written at once", () => {
  const { state, queue, step } = disk();
  queue.add(step([1]));
  assert.deepEqual(state.written, [[1]]);
  assert.deepEqual(state.told, []);
});

test("what a full disk does not take is written once there is space, once and in order", async () => {
  const { state, queue, step } = disk();
  queue.add(step([1]));
  state.full = true;
  for (let item = 2; item <= 9; item += 1) queue.add(step([item]));
  assert.deepEqual(state.told, ["disk: no space left on the disk"]);
  assert.match(queue.problem?.message ?? "", /free some/);
  state.full = false;
  await queue.drained();
  assert.deepEqual(state.written.flat(), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.deepEqual(state.told, ["disk: no space left on the disk", "written"]);
  assert.equal(queue.problem, undefined);
});

test("however much waits, it is joined to a bounded number, and never over what stands alone", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 3000 }), fc.nat(20), async (count, alone) => {
      const { state, queue, put, step } = disk();
      state.full = true;
      const every = Math.ceil(count / (alone + 1));
      for (let item = 1; item <= count; item += 1) {
        queue.add(item % every === 0 ? { run: () => put([item]) } : step([item]));
      }
      state.full = false;
      await queue.drained();
      assert.deepEqual(
        state.written.flat(),
        Array.from({ length: count }, (_, index) => index + 1),
      );
      assert.ok(state.written.length <= 256 + alone + 2, `${state.written.length} writes`);
      for (let item = every; item <= count; item += every) {
        assert.ok(
          state.written.some((items) => items.length === 1 && items[0] === item),
          `${item} was joined`,
        );
      }
    }),
    { numRuns: 8 },
  );
});

test("memory is bounded even where writes would rather stand alone", async () => {
  const { state, queue, put } = disk();
  class Reluctant extends NumbersWrite {
    override join(next: Write, isShort: boolean): Write | undefined {
      if (!isShort || !(next instanceof Reluctant)) return undefined;
      return new Reluctant([...this.items, ...next.items], put);
    }
  }
  state.full = true;
  for (let item = 0; item < 2000; item += 1) queue.add(new Reluctant([item], put));
  state.full = false;
  await queue.drained();
  assert.deepEqual(
    state.written.flat(),
    Array.from({ length: 2000 }, (_, index) => index),
  );
  assert.ok(state.written.length <= 257, `${state.written.length} writes`);
});

test("a write that takes a while holds back those behind it", async () => {
  const { state, queue, step } = disk();
  const slow = Promise.withResolvers<void>();
  queue.add({ run: () => slow.promise });
  queue.add(step([1]));
  assert.deepEqual(state.written, []);
  slow.resolve();
  await queue.drained();
  assert.deepEqual(state.written, [[1]]);
});

test("an error that no space would mend ends the queue, and is told to whoever writes next", () => {
  const { queue, step } = disk();
  const wrong = () => {
    throw new Error("a mistake of this program");
  };
  assert.throws(() => queue.add({ run: wrong }), /mistake/);
  assert.throws(() => queue.add(step([1])), /mistake/);
});

test("one that waits for what is closed is told why", async () => {
  const { state, queue, step } = disk();
  state.full = true;
  queue.add(step([1]));
  const drained = queue.drained();
  queue.close(new Error("another coordinator leads"));
  await assert.rejects(drained, /another coordinator leads/);
});
