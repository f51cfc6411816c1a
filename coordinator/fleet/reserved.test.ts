import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import {
  AgentHelloSchema,
  ConnectRequestSchema,
  type ConnectResponse,
  FenceSchema,
  HeartbeatSchema,
  ProbeResultSchema,
  RankIsReadySchema,
  StartRanksSchema,
} from "../../proto/gen/moestro/v1/agent_pb.js";
import { until } from "../../test/faults/patience.ts";
import type { AgentSession } from "../rpc/agent-service.ts";
import { Fleet, type Group } from "./fleet.ts";

const EPOCH = 3n;
const open: Fleet[] = [];

afterEach(() => {
  for (const fleet of open.splice(0)) fleet.close();
});

function startFleet() {
  const refused: string[] = [];
  const fleet = new Fleet({
    epoch: () => EPOCH,
    leader: () => undefined,
    changed: () => {},
    overtaken: () => {},
    refusedStale: (agentId, { message, fence }) =>
      refused.push(`${message.case} of ${agentId} for ${fence?.runId}`),
  });
  open.push(fleet);
  return { fleet, refused };
}

/** The first generation of a run, with ranks on these agents. */
function groupOf(runId: string, ...agentIds: string[]) {
  const heard: string[] = [];
  const group: Group = {
    fence: { runId, generation: 1n, coordinatorEpoch: EPOCH },
    ...{ agentIds, progressAtMs: 0 },
    agentConnected: (agentId) => heard.push(`${agentId} is there`),
    received: (agentId, message) => heard.push(`${message.case} of ${agentId}`),
    agentJudged: () => {},
  };
  return { group, heard };
}

function sessionOf(agentId: string, runId?: string) {
  const told: string[] = [];
  const session: AgentSession = {
    hello: create(AgentHelloSchema, { agentId, numSlots: 2, incarnation: "1", probePort: 9 }),
    runId,
    send: (fence, message: ConnectResponse["message"]) =>
      told.push(`${message.case} of ${fence.runId}`),
    close: (why) => told.push(why),
  };
  return { session, told };
}

const ready = (runId: string) =>
  create(ConnectRequestSchema, {
    fence: create(FenceSchema, { runId, generation: 1n, coordinatorEpoch: EPOCH }),
    message: { case: "rankReady", value: create(RankIsReadySchema) },
  });
const START = { case: "start", value: create(StartRanksSchema) } as const;

test("which run an agent is for is told of it, and of others that they are for any", () => {
  const { fleet } = startFleet();
  fleet.connected(sessionOf("a", "r").session);
  fleet.connected(sessionOf("b").session);
  assert.deepEqual(
    fleet.members().map(({ agentId, runId }) => [agentId, runId]),
    [
      ["a", "r"],
      ["b", undefined],
    ],
  );
});

test("an agent of one run is given no ranks of another, and cannot report for it", () => {
  const { fleet, refused } = startFleet();
  const { session, told } = sessionOf("a", "r");
  assert.equal(fleet.connected(session), undefined);
  const own = groupOf("r", "a");
  const foreign = groupOf("s", "b");
  fleet.attach(own.group);
  fleet.attach(foreign.group);
  fleet.received(session, ready("s"));
  fleet.received(session, ready("r"));
  // Whoever would place them there, by mistake.
  const misplaced = groupOf("t", "a");
  fleet.attach(misplaced.group);
  fleet.received(session, ready("t"));
  for (const { group } of [own, foreign, misplaced]) fleet.send("a", group.fence, START);
  assert.deepEqual(refused, ["rankReady of a for s", "rankReady of a for t"]);
  assert.deepEqual(own.heard, ["a is there", "rankReady of a"]);
  assert.deepEqual(foreign.heard, []);
  assert.deepEqual(told, ["start of r"]);
});

test("an agent of one run does not pass for one that has ranks of another", () => {
  const { fleet } = startFleet();
  const { group, heard } = groupOf("s", "a");
  fleet.attach(group);
  assert.match(
    fleet.connected(sessionOf("a", "r").session) ?? "",
    /^agent a has ranks of run s, and this certificate is for run r alone/,
  );
  assert.deepEqual(heard, []);
  assert.equal(fleet.connected(sessionOf("a", "s").session), undefined);
});

test("an agent is asked after among those of its run, and only who was asked is believed", async () => {
  const { fleet } = startFleet();
  const [missed, peer, other] = [sessionOf("a", "r"), sessionOf("c", "r"), sessionOf("x", "s")];
  for (const { session } of [missed, peer, other]) fleet.connected(session);
  fleet.attach(groupOf("r", "a", "c").group);
  const beat = create(ConnectRequestSchema, {
    message: { case: "heartbeat", value: create(HeartbeatSchema) },
  });
  const reaches = create(ConnectRequestSchema, {
    message: { case: "probed", value: create(ProbeResultSchema, { agentId: "a", answered: true }) },
  });
  const beating = setInterval(() => {
    for (const { session } of [peer, other]) fleet.received(session, beat);
  }, 100);
  try {
    fleet.lost(missed.session);
    await until("the peer is asked", () => peer.told.includes("probe of "));
    assert.ok(!other.told.includes("probe of "));
    fleet.received(other.session, reaches);
    assert.doesNotMatch(fleet.member("a")?.verdict.reason ?? "", /agent x/);
    fleet.received(peer.session, reaches);
    assert.match(fleet.member("a")?.verdict.reason ?? "", /agent c reaches it/);
  } finally {
    clearInterval(beating);
  }
});
