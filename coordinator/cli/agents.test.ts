import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { AgentState, AgentStatusSchema } from "../../proto/gen/moestro/v1/fleet_pb.js";
import { agentTable } from "./agents.ts";

const agent = (agentId: string, more: MessageInitShape<typeof AgentStatusSchema> = {}) =>
  create(AgentStatusSchema, { agentId, state: AgentState.CONNECTED, numSlots: 4, ...more });

test("agents that are for any run are shown as ever", () => {
  const [heading, row] = agentTable([agent("a", { runIds: ["r", "s"] })], 0);
  assert.deepEqual(heading?.slice(-3), ["heard", "runs", "why"]);
  assert.deepEqual(row?.slice(-3), ["now", "r s", ""]);
});

test("where an agent is for one run alone, it is told of each", () => {
  const pod = agent("demo-agents-0-x", { runId: "demo-1" });
  const [heading, first, second] = agentTable([agent("a"), pod], 0);
  assert.deepEqual(heading?.slice(-4), ["heard", "only for", "runs", "why"]);
  assert.deepEqual(first?.slice(-4), ["now", "–", "–", ""]);
  assert.deepEqual(second?.slice(-4), ["now", "demo-1", "–", ""]);
});
