import assert from "node:assert/strict";
import { test } from "node:test";
import { create, equals } from "@bufbuild/protobuf";
import fc from "fast-check";
import { encodeFrame, FrameDecoder, MAX_FRAME_BYTES } from "./framing.ts";
import { type RankFailed, RankFailedSchema } from "./gen/moestro/v1/rank_pb.js";

const arbitraryMessage = fc
  .record({ message: fc.string({ maxLength: 300 }), userError: fc.boolean() })
  .map((init) => create(RankFailedSchema, init));

test("messages come out whole and in order, however the bytes are cut", () => {
  const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 });
  fc.assert(
    fc.property(fc.array(arbitraryMessage), cuts, (messages, sizes) => {
      const bytes = Buffer.concat(messages.map((one) => encodeFrame(RankFailedSchema, one)));
      const decoder = new FrameDecoder(RankFailedSchema);
      const decoded: RankFailed[] = [];
      for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
        const size = sizes[turn % sizes.length] ?? 1;
        decoded.push(...decoder.push(bytes.subarray(at, at + size)));
        at += size;
      }
      assert.equal(decoded.length, messages.length);
      for (const [index, message] of messages.entries()) {
        assert.ok(equals(RankFailedSchema, decoded[index] as RankFailed, message));
      }
    }),
  );
});

test("a frame longer than the limit is refused before it is awaited", () => {
  const header = Buffer.alloc(4);
  header.writeUInt32BE(MAX_FRAME_BYTES + 1);
  assert.throws(() => new FrameDecoder(RankFailedSchema).push(header), /over the limit/);
});

test("bytes that are no message are refused", () => {
  const garbage = Buffer.from([0, 0, 0, 2, 0xff, 0xff]);
  assert.throws(() => new FrameDecoder(RankFailedSchema).push(garbage));
});
