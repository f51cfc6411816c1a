import assert from "node:assert/strict";
import { it } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { RunState, type RunStatus, RunStatusSchema } from "../../proto/gen/moestro/v1/run_pb.js";
import { until } from "../../test/faults/patience.ts";
import { RunWatch } from "./run-watch.ts";

function watch() {
  const told: string[] = [];
  const failures: unknown[] = [];
  const now = { list: (): RunStatus[] => [], numLists: 0 };
  const runs = new RunWatch(
    async () => {
      now.numLists += 1;
      return now.list();
    },
    (runId) => told.push(runId),
    (error) => failures.push(error),
    1,
  );
  const running = runs.run();
  /** Two lists: one may be under way. */
  const listed = async () => {
    const before = now.numLists;
    await until("two lists", () => now.numLists >= before + 2);
    return told.splice(0);
  };
  const close = async () => {
    runs.close();
    await running;
  };
  return { now, listed, failures, close };
}

const run = (runId: string, more: MessageInitShape<typeof RunStatusSchema> = {}) =>
  create(RunStatusSchema, { runId, state: RunState.RUNNING, reason: "2 of 2 ranks run", ...more });

it("a run is told of when it is new, stands otherwise or is listed no more; not for each step", async () => {
  const { now, listed, close } = watch();
  now.list = () => [run("a"), run("b")];
  assert.deepEqual(await listed(), ["a", "b"]);
  now.list = () => [run("a", { step: 5n }), run("b")];
  assert.deepEqual(await listed(), []);
  now.list = () => [run("a", { step: 6n }), run("b", { restarts: 1 })];
  assert.deepEqual(await listed(), ["b"]);
  now.list = () => [run("a", { step: 7n })];
  assert.deepEqual(await listed(), ["b"]);
  await close();
});

it("a coordinator that cannot list is told of and asked again", async () => {
  const { now, listed, failures, close } = watch();
  now.list = () => {
    throw new Error("the store is out of reach");
  };
  assert.deepEqual(await listed(), []);
  assert.ok(failures.length >= 1);
  now.list = () => [run("a")];
  assert.deepEqual(await listed(), ["a"]);
  await close();
});
