import assert from "node:assert/strict";
import { beforeEach, it } from "node:test";
import { SaidAgain } from "./said-again.ts";

const MINUTE_MS = 60_000;
const childSaying = (text: string, name = "x") => ({
  ...{ apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "n" } },
  data: { text },
});

let nowMs: number;
let said: SaidAgain;
beforeEach(() => {
  nowMs = 0;
  said = new SaidAgain(() => nowMs);
});

function say(numTimes: number, text = "a"): void {
  for (let index = 0; index < numTimes; index += 1) said.hasSaid(childSaying(text));
}

/** Minutes until the same may be said again. */
function waits(): number {
  const fromMs = nowMs;
  while (said.isTooSoon(childSaying("a"))) nowMs += MINUTE_MS;
  return (nowMs - fromMs) / MINUTE_MS;
}

it("the same is said again at once a few times, then less and less often", () => {
  say(3);
  const minutes = Array.from({ length: 6 }, () => {
    const waited = waits();
    say(1);
    return waited;
  });
  assert.deepEqual(minutes, [1, 2, 4, 8, 15, 15]);
});

it("what is new, or is said of another child, is said at once", () => {
  say(5);
  assert.ok(said.isTooSoon(childSaying("a")));
  assert.ok(!said.isTooSoon(childSaying("b")));
  assert.ok(!said.isTooSoon(childSaying("a", "y")));
  say(1, "b");
  assert.ok(!said.isTooSoon(childSaying("a")));
});

it("what nobody has changed for long is forgotten", () => {
  say(5);
  nowMs += 30 * MINUTE_MS;
  said.hasSaid(childSaying("b", "y"));
  say(2);
  assert.ok(!said.isTooSoon(childSaying("a")));
});
