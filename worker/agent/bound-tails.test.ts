import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { MAX_MESSAGE_BYTES } from "../../coordinator/rpc/server.ts";
import {
  AgentHelloSchema,
  type RankExited,
  RankGroupStateSchema,
} from "../../proto/gen/moestro/v1/agent_pb.js";
import { boundTails } from "./bound-tails.ts";

const byRank = ({ rank }: RankExited) => rank;

/** A group whose ranks ended in their order. */
function group(first: number, tails: readonly (readonly string[])[]) {
  const exits = tails.map((lines, index) => ({ rank: first + index, stderrTail: [...lines] }));
  return create(RankGroupStateSchema, { exits });
}

test("what is little is told whole", () => {
  const groups = [group(0, [["a", "b"], ["c"]])];
  assert.deepEqual(boundTails(groups, byRank), groups);
});

test("of too much the newest is kept, and what is left out is told", () => {
  const line = "x".repeat(95);
  const [older, newer] = boundTails(
    [group(2, [[line, line, "last"]]), group(0, [[line], [line, line]])],
    byRank,
    // Room for two lines, and the little one.
    210,
  );
  assert.deepEqual(
    older?.exits.map(({ stderrTail }) => stderrTail),
    [[line, line, "last"]],
  );
  assert.deepEqual(
    newer?.exits.map(({ stderrTail }) => stderrTail),
    [
      ["(1 of its last 1 lines are left out here; its log has them)"],
      ["(2 of its last 2 lines are left out here; its log has them)"],
    ],
  );
  const [cut] = boundTails([group(0, [[line, line, "last"]])], byRank, 110);
  assert.deepEqual(cut?.exits[0]?.stderrTail, [
    "(1 of its last 3 lines are left out here; its log has them)",
    ...[line, "last"],
  ]);
});

test("however much was printed, the lines that are kept fit, and no exit is left out", () => {
  const tails = fc.array(
    fc.array(fc.string({ unit: "grapheme", maxLength: 40 }), { maxLength: 6 }),
  );
  fc.assert(
    fc.property(fc.array(tails, { maxLength: 5 }), fc.nat(400), (all, maxBytes) => {
      let rank = 0;
      const groups = all.map((some) => {
        const one = group(rank, some);
        rank += some.length;
        return one;
      });
      const exits = boundTails(groups, byRank, maxBytes).flatMap(({ exits }) => exits);
      assert.deepEqual(
        exits.map(({ rank }) => rank),
        Array.from({ length: rank }, (_, index) => index),
      );
      const given = groups.flatMap(({ exits }) => exits);
      const kept = exits.filter((exit) => given.includes(exit) || exit.stderrTail.length > 0);
      const bytes = kept
        .flatMap(({ stderrTail }) => stderrTail.filter((line) => !line.startsWith("(")))
        .reduce((sum, line) => sum + Buffer.byteLength(line), 0);
      assert.ok(bytes <= maxBytes);
    }),
  );
});

test("an agent whose thousand ranks ended in 64 KiB each is taken in", () => {
  const tail = Array.from({ length: 50 }, () => "ü".repeat(650));
  const groups = [group(0, Array(1000).fill(tail))];
  const hello = create(AgentHelloSchema, { groups: boundTails(groups, byRank) });
  assert.ok(toBinary(AgentHelloSchema, hello).length < MAX_MESSAGE_BYTES);
});
