import assert from "node:assert/strict";
import { it } from "node:test";
import { MoestroError } from "./errors.ts";
import { WorkerCalls } from "./worker-calls.ts";

const MODULE = new URL("./worker-calls-fixture.ts", import.meta.url);
const start = (mostMs = 60_000, idleMs = 60_000) =>
  new WorkerCalls<string, string>(MODULE, { mostMs, idleMs });

it("a thread answers, one question after the other, and its refusals are what they were", async () => {
  const calls = start();
  assert.deepEqual(await Promise.all([calls.ask("a"), calls.ask("b")]), ["a!", "b!"]);
  await assert.rejects(calls.ask("throw"), /^Error: broken$/);
  await assert.rejects(calls.ask("refuse"), (error: unknown) => {
    assert.ok(error instanceof MoestroError);
    assert.deepEqual([error.code, error.lines], ["no_plan", ["one", "two"]]);
    return true;
  });
  calls.close();
});

it("one that hangs is given up, and another answers what is asked next", async () => {
  const calls = start(200);
  await assert.rejects(calls.ask("hang"), /no answer in 0.2 s/);
  assert.equal(await calls.ask("b"), "b!");
  calls.close();
});

it("one that was idle, or was closed, is made again", async () => {
  const calls = start(60_000, 20);
  assert.equal(await calls.ask("a"), "a!");
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(await calls.ask("b"), "b!");
  const refused = assert.rejects(calls.ask("c"), /closed here/);
  calls.close("closed here");
  await refused;
  assert.equal(await calls.ask("d"), "d!");
  calls.close();
});
