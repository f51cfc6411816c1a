import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { notLeading } from "../../coordinator/rpc/not-leading.ts";
import { backOffMs, nextAddress } from "./next-address.ts";

const GIVEN = ["a:1", "b:2", "c:3"];

test("coordinators are tried one after the other, round and round", () => {
  assert.equal(nextAddress(GIVEN, "a:1", "connection refused"), "b:2");
  assert.equal(nextAddress(GIVEN, "c:3", "connection refused"), "a:1");
  assert.equal(nextAddress(["a:1"], "a:1", "connection refused"), "a:1");
});

test("the leader that a coordinator names comes next, even one this agent was not given", () => {
  const why = notLeading("d:4");
  assert.equal(nextAddress(GIVEN, "a:1", why), "d:4");
  assert.equal(nextAddress(GIVEN, "d:4", "connection refused"), "a:1");
  assert.equal(nextAddress(GIVEN, "b:2", notLeading(undefined)), "c:3");
});

test("one that names itself as the leader and does not lead is passed over", () => {
  assert.equal(nextAddress(GIVEN, "a:1", notLeading("a:1")), "b:2");
});

test("waiting grows from 50 ms to 1 s while another may take over, then to 4 s, and is never the same for all", () => {
  fc.assert(
    fc.property(fc.nat(100), fc.double({ min: 0, max: 0.999, noNaN: true }), (failed, random) => {
      const delay = backOffMs(failed, random);
      assert.ok(delay >= 50 && delay <= (failed <= 12 ? 1000 : 4000));
      assert.ok(backOffMs(failed, 0) <= delay);
    }),
  );
  assert.ok(backOffMs(20, 0) >= 2000);
});
