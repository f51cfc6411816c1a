import assert from "node:assert/strict";
import { once } from "node:events";
import { statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { type Client, type ServiceError, status } from "@grpc/grpc-js";
import { service as healthService } from "grpc-health-check";
import {
  AgentHelloSchema,
  type ConnectRequest,
  ConnectRequestSchema,
} from "../../proto/gen/moestro/v1/agent_pb.js";
import {
  GetRunRequestSchema,
  RunService,
  RunState,
  WatchRunRequestSchema,
  type WatchRunResponse,
} from "../../proto/gen/moestro/v1/run_pb.js";
import { grpcMethods } from "../../proto/grpc.ts";
import { loadAuthority } from "./authority.ts";
import { callUnary, requestUnary } from "./call-unary.ts";
import { createAuthority, type Identity, issue } from "./certificates.ts";
import { openClient } from "./client.ts";
import { startTestCoordinator, type TestCoordinator } from "./fixture.ts";
import { requestStream } from "./request-stream.ts";
import { createRpcServer, MAX_MESSAGE_BYTES } from "./server.ts";

const NOW = new Date();
const DAY_MS = 86_400_000;
let here: TestCoordinator;
let authority: Identity;

before(async () => {
  here = await startTestCoordinator();
  authority = here.authority;
});

after(() => here.close());

function connect(identity: Identity | undefined, trusted = authority): Client {
  return openClient(here.address, { ...identity, authority: trusted.certificate });
}

/** GetRun as the holder of `identity`; the error, if the call failed. */
async function getRun(identity: Identity | undefined, runId = "r", trusted = authority) {
  const client = connect(identity, trusted);
  const request = create(GetRunRequestSchema, { runId });
  try {
    return { response: await requestUnary(client, grpcMethods(RunService).getRun, request) };
  } catch (error) {
    return { error: error as ServiceError };
  } finally {
    client.close();
  }
}

/** Opens the agent's stream with `first`; resolves with its first answer or its end. */
async function openStream(identity: Identity, first: ConnectRequest): Promise<string> {
  const stream = here.openStream(identity, first);
  const answer = await stream.answer;
  stream.close();
  return answer;
}

const helloOf = (agentId: string) =>
  create(ConnectRequestSchema, {
    message: { case: "hello", value: create(AgentHelloSchema, { agentId, numSlots: 2 }) },
  });
const userIdentity = () => here.person("me", "viewer");
const agentIdentity = (id: string) => here.agent(id);

test("keys lie in files that only their owner can read", () => {
  assert.equal(statSync(join(here.directory, "authority.pem")).mode & 0o777, 0o600);
});

test("an authority made twice at once is one authority", async () => {
  const folder = join(here.directory, "twice");
  const made = await Promise.all(Array.from({ length: 4 }, () => loadAuthority(folder, NOW)));
  for (const one of made) assert.deepEqual(one, made[0]);
  assert.deepEqual(await loadAuthority(folder, NOW), made[0]);
});

test("an authority that has expired is told with the remedy", async () => {
  const later = new Date(NOW.getTime() + 4000 * DAY_MS);
  await assert.rejects(loadAuthority(here.directory, later), /expired.*remove the file/);
});

test("a user with a certificate of this authority is answered", async () => {
  const { response } = await getRun(await userIdentity());
  assert.equal(response?.status?.step, 3n);
});

test("nobody is answered without a certificate", async () => {
  const { error } = await getRun(undefined);
  assert.equal(error?.code, status.UNAVAILABLE);
});

test("a certificate of another authority is refused", async () => {
  const foreign = await createAuthority(NOW);
  const { error } = await getRun(await issue(foreign, { name: "user:me", hosts: [] }, NOW));
  assert.equal(error?.code, status.UNAVAILABLE);
});

test("an expired certificate is refused", async () => {
  const longAgo = new Date(NOW.getTime() - 100 * DAY_MS);
  const { error } = await getRun(await issue(authority, { name: "user:me", hosts: [] }, longAgo));
  assert.equal(error?.code, status.UNAVAILABLE);
});

test("a client refuses a server whose authority it does not trust", async () => {
  const foreign = await createAuthority(NOW);
  const { error } = await getRun(await userIdentity(), "r", foreign);
  assert.equal(error?.code, status.UNAVAILABLE);
});

test("an agent's certificate does not open the run service", async () => {
  const { error } = await getRun(await agentIdentity("local"));
  assert.equal(error?.code, status.PERMISSION_DENIED);
});

test("a run that is not there is not found", async () => {
  const { error } = await getRun(await userIdentity(), "other");
  assert.equal(error?.code, status.NOT_FOUND);
});

test("a watcher is told of what changes, and of nothing twice", async () => {
  const client = connect(await userIdentity());
  const { watchRun } = grpcMethods(RunService);
  const stream = requestStream(client, watchRun, create(WatchRunRequestSchema, { runId: "r" }));
  const steps: bigint[] = [];
  stream.on("data", ({ status }: WatchRunResponse) => steps.push(status?.step ?? 0n));
  for (const next of [{ step: 4n }, { step: 5n, state: RunState.SUCCEEDED }]) {
    const { numAsked } = here.run;
    while (here.run.numAsked < numAsked + 3) await sleep(5);
    here.run.status = next;
  }
  await once(stream, "end");
  assert.deepEqual(steps, [3n, 4n, 5n]);
  here.run.status = { step: 3n };
  client.close();
});

test("an agent is welcomed by the name on its certificate", async () => {
  assert.equal(await openStream(await agentIdentity("a"), helloOf("a")), "welcome");
  assert.ok(here.heard.includes("connected a"));
});

test("an agent that claims another's name is refused", async () => {
  const answer = await openStream(await agentIdentity("a"), helloOf("b"));
  assert.match(answer, /PERMISSION_DENIED: the certificate is of agent:a, not of agent b/);
});

test("an agent that the coordinator does not take is told why", async () => {
  const answer = await openStream(await agentIdentity("stranger"), helloOf("stranger"));
  assert.match(answer, /ALREADY_EXISTS: an agent of this name is here/);
});

test("a stream that does not begin with a hello is refused", async () => {
  const answer = await openStream(await agentIdentity("a"), create(ConnectRequestSchema));
  assert.match(answer, /PERMISSION_DENIED: the first message must be AgentHello/);
});

test("a message over the size limit is refused and the server lives on", async () => {
  const answer = await openStream(
    await agentIdentity("a"),
    helloOf("a".repeat(MAX_MESSAGE_BYTES + 1)),
  );
  assert.match(answer, /RESOURCE_EXHAUSTED/);
  assert.equal((await getRun(await userIdentity())).error, undefined);
});

test("the health service says that the coordinator serves", async () => {
  const client = connect(await userIdentity());
  assert.ok(healthService.Check);
  const answer = await requestUnary(client, healthService.Check, { service: "" });
  client.close();
  assert.deepEqual(answer, { status: "SERVING" });
});

test("a port that another process listens on is named", async () => {
  const second = createRpcServer(authority, here.identity);
  const port = Number(here.address.split(":")[1]);
  await assert.rejects(second.listen("127.0.0.1", port), /another process listens on it; choose/);
  await second.close();
});

test("a client refuses a server that has an agent's certificate", async () => {
  const { getRun } = grpcMethods(RunService);
  const trust = { ...(await userIdentity()), authority: authority.certificate };
  for (const [hosts, why] of [
    // As agents get them: good for clients alone.
    [[], /unsuitable certificate purpose/],
    [["127.0.0.1", "coordinator"], /the certificate there is of agent:a, not of a coordinator/],
  ] as const) {
    const agent = await issue(authority, { name: "agent:a", hosts }, NOW);
    const impostor = createRpcServer(authority, agent);
    const address = `127.0.0.1:${await impostor.listen("127.0.0.1", 0)}`;
    const request = create(GetRunRequestSchema, { runId: "r" });
    await assert.rejects(callUnary({ address, trust }, getRun, request), why);
    await impostor.close();
  }
});
