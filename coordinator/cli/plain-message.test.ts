import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { AgentStatusSchema } from "../../proto/gen/moestro/v1/fleet_pb.js";
import { RunState, RunStatusSchema } from "../../proto/gen/moestro/v1/run_pb.js";
import { plainMessage } from "./plain-message.ts";

test("numbers are numbers, enumerated values words, and every field is there", () => {
  const status = create(RunStatusSchema, {
    ...{ state: RunState.RECOVERING, step: 7n, validationLoss: 1.5 },
    layers: [{ layer: 1, dropRate: 0.5, load: [1n, 2n] }],
  });
  const plain = plainMessage(RunStatusSchema, status);
  assert.deepEqual(
    Object.keys(plain).sort(),
    RunStatusSchema.fields.map(({ localName }) => localName).sort(),
  );
  const { state, step, validationLoss, owner, layers, ranks } = plain;
  assert.deepEqual(
    { state, step, validationLoss, owner, layers, ranks },
    {
      ...{ state: "recovering", step: 7, validationLoss: 1.5, owner: "" },
      layers: [{ layer: 1, dropRate: 0.5, coefficient: 0, load: [1, 2] }],
      ranks: [],
    },
  );
  assert.deepEqual(JSON.parse(JSON.stringify(plain)), plain);
});

test("what is not set is null", () => {
  const agent = create(AgentStatusSchema, { agentId: "a" });
  const { inventory, state, drained } = plainMessage(AgentStatusSchema, agent);
  assert.deepEqual(
    { inventory, state, drained },
    {
      ...{ inventory: null, state: "unspecified", drained: false },
    },
  );
});
