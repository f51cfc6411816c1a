import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { RankExitedSchema } from "../../proto/gen/moestro/v1/agent_pb.js";
import { PlanSchema } from "../../proto/gen/moestro/v1/plan_pb.js";
import { Verdict } from "./verdict.ts";

const plan = create(PlanSchema, { worldSize: 2 });

const exit = (init: MessageInitShape<typeof RankExitedSchema>) => create(RankExitedSchema, init);

function start() {
  const givenUp: string[] = [];
  const verdict = new Verdict(plan, (reason) => givenUp.push(reason));
  verdict.placed("a", [0]);
  verdict.placed("b", [1]);
  return { verdict, givenUp };
}

test("ranks are ended once, and what their ending looks like is not blamed", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { verdict, givenUp } = start();
  const failure = { message: "the loss is not finite" };
  verdict.rankExited(exit({ rank: 0, exitCode: 1, failure }));
  t.mock.timers.tick(1000);
  assert.equal(givenUp.length, 1);
  verdict.rankExited(exit({ rank: 1, signal: "SIGKILL" }));
  const { decision, reason } = await verdict.outcome;
  assert.equal(decision, "fail");
  assert.match(reason, /rank 0 .*the loss is not finite/);
});

test("news within the blame window changes who is blamed", async () => {
  const { verdict, givenUp } = start();
  const failure = { message: "another rank has gone", lostPeer: true };
  verdict.rankExited(exit({ rank: 0, exitCode: 1, failure }));
  verdict.rankExited(exit({ rank: 1, signal: "SIGSEGV" }));
  assert.match((await verdict.outcome).reason, /rank 1 was ended by SIGSEGV/);
  assert.deepEqual(givenUp, []);
});

test("a lost agent's ranks are not waited for, the others' are", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { verdict, givenUp } = start();
  verdict.agentLost("a", "agent a is gone: its connection broke");
  t.mock.timers.tick(1000);
  assert.equal(givenUp.length, 1);
  verdict.rankExited(exit({ rank: 1, exitCode: 143, signal: "SIGTERM" }));
  assert.match((await verdict.outcome).reason, /agent a is gone/);
});

test("nothing starts after a person would not wait, or an agent went", async () => {
  const verdict = new Verdict(plan, () => {});
  assert.equal(verdict.forbidsStart, false);
  verdict.killRequested();
  assert.equal(verdict.forbidsStart, true);
  assert.equal((await verdict.outcome).decision, "stop");
});
