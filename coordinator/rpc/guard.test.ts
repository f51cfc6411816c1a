import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { type ServerUnaryCall, type sendUnaryData, status } from "@grpc/grpc-js";
import {
  AgentHelloSchema,
  AgentService,
  ConnectRequestSchema,
  HeartbeatSchema,
} from "../../proto/gen/moestro/v1/agent_pb.js";
import {
  DrainAgentRequestSchema,
  FleetService,
  type ListAgentsRequest,
  ListAgentsRequestSchema,
  type ListAgentsResponse,
} from "../../proto/gen/moestro/v1/fleet_pb.js";
import { IdentityService, JoinService } from "../../proto/gen/moestro/v1/join_pb.js";
import {
  GetRunRequestSchema,
  ListRunsRequestSchema,
  RunService,
  ScaleRunRequestSchema,
  StopRunRequestSchema,
  SubmitRunRequestSchema,
} from "../../proto/gen/moestro/v1/run_pb.js";
import { grpcMethods } from "../../proto/grpc.ts";
import { requestUnary } from "./call-unary.ts";
import { readCertificate } from "./certificate-facts.ts";
import { issue } from "./certificates.ts";
import { openClient } from "./client.ts";
import { startTestCoordinator, type TestCoordinator } from "./fixture.ts";
import { PERSON_ROLES, type Role } from "./roles.ts";
import { RULES } from "./rules.ts";

const runs = grpcMethods(RunService);
const fleet = grpcMethods(FleetService);
const stop = (runId: string) => create(StopRunRequestSchema, { runId, checkpoint: true });
const get = (runId: string) => create(GetRunRequestSchema, { runId });
const hello = (agentId: string) =>
  create(ConnectRequestSchema, {
    message: { case: "hello", value: create(AgentHelloSchema, { agentId }) },
  });
let here: TestCoordinator;

before(async () => {
  here = await startTestCoordinator();
});
after(() => here.close());

test("every procedure of every contract has a rule, and nothing else but health has", () => {
  const services = [AgentService, RunService, FleetService, IdentityService, JoinService];
  const paths = services.flatMap((service) =>
    service.methods.map(({ name }) => `/${service.typeName}/${name}`),
  );
  const health = ["/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"];
  assert.deepEqual([...RULES.keys()].sort(), [...paths, ...health].sort());
});

test("whatever changes something for others leaves an audit line", () => {
  const silent = [...RULES].filter(([, { audit }]) => !audit).map(([path]) => path);
  for (const path of silent) {
    assert.match(path, /\/(Get|List|Watch|Read|Check|Connect|Renew)/);
  }
});

test("each role may call this, and nothing else", () => {
  const allowed = (role: Role) =>
    [...RULES]
      .filter(([, { roles }]) => roles?.includes(role))
      .map(([path]) => path.replace(/^.*\//, ""))
      .sort()
      .join(" ");
  const anybody = "Check Renew Watch";
  assert.equal(allowed("agent"), "Check Connect Renew Watch");
  const reads = `${anybody} GetRun ListAgents ListRuns ReadLog WatchEvents WatchRun`;
  assert.equal(allowed("viewer"), reads.split(" ").sort().join(" "));
  const owns = `${reads} ResumeRun SaveCheckpoint ScaleRun StopRun SubmitRun SuspendRun`;
  assert.equal(allowed("submitter"), owns.split(" ").sort().join(" "));
  const all = `${owns} CreateToken DrainAgent ListTokens RevokeToken`;
  assert.equal(allowed("admin"), all.split(" ").sort().join(" "));
  const open = [...RULES].filter(([, { roles }]) => !roles).map(([path]) => path);
  assert.deepEqual(open, ["/moestro.v1.JoinService/Join"]);
});

test("whatever a submitter does to a run asks whose it is", () => {
  const changes = [...RULES].filter(
    ([path, { roles, audit }]) => roles?.includes("submitter") && audit && !/Submit/.test(path),
  );
  assert.equal(changes.length, 5);
  for (const [, { ownRun }] of changes) assert.equal(ownRun?.({ runId: "r" }), "r");
});

test("everybody with a person's role reads every run", async () => {
  for (const role of PERSON_ROLES) {
    const { response } = await here.call(await here.person("p", role), runs.getRun, get("s"));
    assert.equal(response?.status?.runId, "s");
  }
});

test("a viewer that tries to stop a run is refused, and it is written down", async () => {
  const { error } = await here.call(await here.person("vic", "viewer"), runs.stopRun, stop("r"));
  assert.equal(error?.code, status.PERMISSION_DENIED);
  assert.equal(error?.details, "user:vic has the role viewer; this takes admin or submitter");
  assert.ok(!here.heard.includes("stop r"));
  const line = here.audited().at(-1);
  assert.equal(line?.caller, "user:vic");
  assert.equal(line?.rpc, "RunService/StopRun");
  assert.equal(line?.target, "r with a checkpoint");
  assert.equal(line?.outcome, "PERMISSION_DENIED");
});

test("a submitter stops its own run, not another's", async () => {
  const sam = await here.person("sam", "submitter");
  const { error } = await here.call(sam, runs.stopRun, stop("s"));
  assert.equal(error?.code, status.PERMISSION_DENIED);
  assert.match(error?.details ?? "", /^run s belongs to sue; user:sam may change runs of its own/);
  assert.ok(!here.heard.includes("stop s"));
  assert.equal((await here.call(sam, runs.stopRun, stop("r"))).error, undefined);
  assert.ok(here.heard.includes("stop r"));
  assert.equal(here.audited().at(-1)?.outcome, "OK");
});

test("a submitter that scales a run that is not there is told so", async () => {
  const sam = await here.person("sam", "submitter");
  const request = create(ScaleRunRequestSchema, { runId: "none", minRanks: 1, maxRanks: 2 });
  const { error } = await here.call(sam, runs.scaleRun, request);
  assert.equal(error?.code, status.NOT_FOUND);
  assert.equal(here.audited().at(-1)?.target, "none to 1..2 ranks");
});

test("an admin stops anybody's run", async () => {
  const { error } = await here.call(await here.person("ada", "admin"), runs.stopRun, stop("s"));
  assert.equal(error, undefined);
  assert.ok(here.heard.includes("stop s"));
});

test("an audit line names the run that a submission became", async () => {
  const sam = await here.person("sam", "submitter");
  await here.call(sam, runs.submitRun, create(SubmitRunRequestSchema));
  assert.ok(here.heard.includes("submit  of sam"));
  assert.equal(here.audited().at(-1)?.target, "made-up");
});

test("a certificate of an agent opens none of the people's procedures", async () => {
  const agent = await here.agent("a");
  for (const { error } of [
    await here.call(agent, runs.getRun, get("r")),
    await here.call(agent, runs.stopRun, stop("r")),
    await here.call(agent, fleet.drainAgent, create(DrainAgentRequestSchema)),
  ]) {
    // The test's coordinator serves no fleet: what is not served is refused as well.
    assert.ok([status.PERMISSION_DENIED, status.UNIMPLEMENTED].includes(error?.code ?? status.OK));
  }
});

test("a person's certificate does not pass for an agent's", async () => {
  const admin = await here.person("a", "admin");
  const stream = here.openStream(admin, hello("a"));
  assert.equal(
    await stream.answer,
    "PERMISSION_DENIED: user:a has the role admin; this takes agent",
  );
  stream.close();
});

test("a procedure nobody made is refused, however it is spelt", async () => {
  const admin = await here.person("ada", "admin");
  for (const path of [
    "/moestro.v1.RunService/Nothing",
    "/x",
    "//",
    "/moestro.v1.RunService/getRun",
  ]) {
    const { error } = await here.call(admin, { ...runs.getRun, path }, get("r"));
    assert.equal(error?.code, status.UNIMPLEMENTED);
  }
});

test("a message that is no message is refused and the server lives on", async () => {
  const ada = await here.person("ada", "admin");
  const garbage = {
    ...runs.stopRun,
    requestSerialize: () => Buffer.from("ffffffffffffffff", "hex"),
  };
  const { error } = await here.call(ada, garbage, stop("r"));
  assert.equal(error?.code, status.INTERNAL);
  assert.equal((await here.call(ada, runs.getRun, get("r"))).error, undefined);
});

test("whoever calls more often than allowed is refused, and nobody else is", async () => {
  let now = 0;
  const there = await startTestCoordinator({
    calls: { perSecond: 10, burst: 3 },
    now: () => now,
  });
  const [ann, bob] = [await there.person("ann", "viewer"), await there.person("bob", "viewer")];
  for (let call = 0; call < 3; call += 1) {
    assert.equal((await there.call(ann, runs.getRun, get("r"))).error, undefined);
  }
  const { error } = await there.call(ann, runs.getRun, get("r"));
  assert.equal(error?.code, status.RESOURCE_EXHAUSTED);
  assert.equal(error?.details, "user:ann calls more often than it may; wait a second");
  assert.equal((await there.call(bob, runs.getRun, get("r"))).error, undefined);
  now = 100;
  assert.equal((await there.call(ann, runs.getRun, get("r"))).error, undefined);
  await there.close();
});

test("messages above the rate wait, and none is lost or out of order", async () => {
  const there = await startTestCoordinator({ messages: { perSecond: 50, burst: 2 } });
  const beats = Array.from({ length: 8 }, () =>
    create(ConnectRequestSchema, {
      message: { case: "heartbeat", value: create(HeartbeatSchema) },
    }),
  );
  const beganAt = performance.now();
  const stream = there.openStream(await there.agent("a"), hello("a"), ...beats);
  while (there.heard.filter((what) => what === "received heartbeat").length < beats.length) {
    await sleep(5);
  }
  // Nine messages at 50 a second, two of them at once: seven wait 20 ms each.
  assert.ok(performance.now() - beganAt >= 135);
  stream.close();
  await there.close();
});

test("a call that takes too long ends, whatever its caller asked for", async () => {
  const there = await startTestCoordinator({ deadlineMs: 50 });
  there.rpc.server.addService(fleet, {
    listAgents(
      _call: ServerUnaryCall<ListAgentsRequest, ListAgentsResponse>,
      _reply: sendUnaryData<ListAgentsResponse>,
    ) {},
    drainAgent() {},
  });
  const ada = await there.person("ada", "admin");
  const { error } = await there.call(ada, fleet.listAgents, create(ListAgentsRequestSchema));
  assert.equal(error?.code, status.DEADLINE_EXCEEDED);
  assert.match(error?.details ?? "", /the coordinator took too long/);
  const drain = create(DrainAgentRequestSchema, { agentId: "a" });
  await there.call(ada, fleet.drainAgent, drain);
  assert.equal(there.audited().at(-1)?.outcome, "DEADLINE_EXCEEDED");
  await there.close();
});

test("a run's owner that cannot be looked up refuses the call", async () => {
  const there = await startTestCoordinator({
    ownerOf: () => Promise.reject(new Error("Redis is away")),
  });
  const sam = await there.person("sam", "submitter");
  const { error } = await there.call(sam, runs.stopRun, stop("r"));
  assert.equal(error?.code, status.UNAVAILABLE);
  assert.equal(error?.details, "Redis is away");
  assert.equal(
    (await there.call(sam, runs.listRuns, create(ListRunsRequestSchema))).error,
    undefined,
  );
  await there.close();
});

test("a certificate that ends while its connection stands opens nothing more", async () => {
  const wanted = { name: "user:ann", hosts: [], lifetimeMs: 3000 };
  const short = await issue(here.authority, wanted, new Date());
  const client = openClient(here.address, { authority: here.authority.certificate, ...short });
  await requestUnary(client, runs.getRun, get("r"));
  await sleep(readCertificate(short.certificate).validToMs - Date.now() + 50);
  await assert.rejects(requestUnary(client, runs.getRun, get("r")), {
    code: status.UNAUTHENTICATED,
    details: "the certificate of user:ann has expired",
  });
  client.close();
});
