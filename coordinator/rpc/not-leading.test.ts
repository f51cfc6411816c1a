import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { namedLeader, notLeading, otherLeader } from "./not-leading.ts";

const code = status.UNAVAILABLE;

test("what one who does not lead says is understood, whether it knows the leader or not", () => {
  for (const leader of ["train-0.example.org:7070", "[::1]:7443"]) {
    assert.equal(namedLeader(notLeading(leader)), leader);
    assert.deepEqual(otherLeader({ code, details: notLeading(leader) }), { leader });
  }
  const details = notLeading(undefined);
  assert.equal(namedLeader(details), undefined);
  assert.deepEqual(otherLeader({ code, details }), { leader: undefined });
});

test("another failure says nothing of a leader", () => {
  assert.equal(otherLeader({ code, details: "connection dropped" }), undefined);
  assert.equal(otherLeader({ code: status.INTERNAL, details: notLeading("a:1") }), undefined);
});
