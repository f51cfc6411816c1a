import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Client, credentials, type ServiceError, status } from "@grpc/grpc-js";
import { service as healthService } from "grpc-health-check";
import {
  AgentHelloSchema,
  AgentService,
  type ConnectRequest,
  ConnectRequestSchema,
  type ConnectResponse,
} from "../../proto/gen/moestro/v1/agent_pb.js";
import {
  GetRunRequestSchema,
  type GetRunResponse,
  RunService,
  RunStatusSchema,
} from "../../proto/gen/moestro/v1/run_pb.js";
import { grpcMethods } from "../../proto/grpc.ts";
import { type AgentSession, addAgentService } from "./agent-service.ts";
import { loadAuthority } from "./authority.ts";
import { createAuthority, type Identity, issue } from "./certificates.ts";
import { addRunService } from "./run-service.ts";
import { createRpcServer, MAX_MESSAGE_BYTES, type RpcServer } from "./server.ts";

const NOW = new Date();
const DAY_MS = 86_400_000;
let directory: string;
let authority: Identity;
let rpc: RpcServer;
let address: string;
const heard: string[] = [];

before(async () => {
  directory = mkdtempSync(join(tmpdir(), "moestro-rpc-"));
  authority = await loadAuthority(directory, NOW);
  const identity = await issue(authority, { name: "coordinator", hosts: ["127.0.0.1"] }, NOW);
  rpc = createRpcServer(authority, identity);
  addAgentService(rpc.server, {
    connected: (session: AgentSession) => {
      heard.push(`connected ${session.hello.agentId}`);
      return session.hello.agentId === "stranger" ? "it has no part in this run" : undefined;
    },
    received: (_session, request) => heard.push(`received ${request.message.case}`),
    lost: (session) => heard.push(`lost ${session.hello.agentId}`),
  });
  addRunService(rpc.server, {
    runId: "r",
    status: () => create(RunStatusSchema, { runId: "r", step: 3n }),
    isEnded: () => false,
    stop: (checkpoint) => heard.push(`stop ${checkpoint}`),
  });
  address = `127.0.0.1:${await rpc.listen("127.0.0.1", 0)}`;
  rpc.setServing(true);
});

after(async () => {
  await rpc.close();
  rmSync(directory, { recursive: true });
});

function connect(identity: Identity | undefined, trusted = authority): Client {
  return new Client(
    address,
    credentials.createSsl(
      Buffer.from(trusted.certificate),
      identity ? Buffer.from(identity.key) : null,
      identity ? Buffer.from(identity.certificate) : null,
    ),
  );
}

/** GetRun as the holder of `identity`; the error, if the call failed. */
async function getRun(identity: Identity | undefined, runId = "r", trusted = authority) {
  const client = connect(identity, trusted);
  const { path, requestSerialize, responseDeserialize } = grpcMethods(RunService).getRun;
  const request = create(GetRunRequestSchema, { runId });
  const deadline = { deadline: Date.now() + 3000 };
  try {
    return await new Promise<{ error?: ServiceError; response?: GetRunResponse | undefined }>(
      (resolve) =>
        client.makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          request,
          deadline,
          (error, response) => resolve(error ? { error } : { response }),
        ),
    );
  } finally {
    client.close();
  }
}

/** Opens the agent's stream with `first`; resolves with its first answer or its end. */
async function openStream(identity: Identity, first: ConnectRequest): Promise<string> {
  const client = connect(identity);
  const { connect: method } = grpcMethods(AgentService);
  const stream = client.makeBidiStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
  );
  const answer = new Promise<string>((resolve) => {
    stream.on("data", (response: ConnectResponse) => resolve(`${response.message.case}`));
    stream.on("error", (error: ServiceError) => resolve(`${status[error.code]}: ${error.details}`));
  });
  stream.write(first);
  try {
    return await answer;
  } finally {
    stream.on("error", () => {});
    stream.cancel();
    client.close();
  }
}

const helloOf = (agentId: string) =>
  create(ConnectRequestSchema, {
    message: { case: "hello", value: create(AgentHelloSchema, { agentId, numSlots: 2 }) },
  });
const userIdentity = () => issue(authority, { name: "user:me", hosts: [] }, NOW);
const agentIdentity = (id: string) => issue(authority, { name: `agent:${id}`, hosts: [] }, NOW);

test("keys lie in files that only their owner can read", () => {
  assert.equal(statSync(join(directory, "authority.pem")).mode & 0o777, 0o600);
});

test("an authority made twice at once is one authority", async () => {
  const folder = join(directory, "twice");
  const made = await Promise.all(Array.from({ length: 4 }, () => loadAuthority(folder, NOW)));
  for (const one of made) assert.deepEqual(one, made[0]);
  assert.deepEqual(await loadAuthority(folder, NOW), made[0]);
});

test("an authority that has expired is told with the remedy", async () => {
  const later = new Date(NOW.getTime() + 4000 * DAY_MS);
  await assert.rejects(loadAuthority(directory, later), /expired.*remove the file/);
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

test("another run is not found, and the answer says which run is here", async () => {
  const { error } = await getRun(await userIdentity(), "other");
  assert.equal(error?.code, status.NOT_FOUND);
  assert.match(error?.details ?? "", /carries out r/);
});

test("an agent is welcomed by the name on its certificate", async () => {
  assert.equal(await openStream(await agentIdentity("a"), helloOf("a")), "welcome");
  assert.ok(heard.includes("connected a"));
});

test("an agent that claims another's name is refused", async () => {
  const answer = await openStream(await agentIdentity("a"), helloOf("b"));
  assert.match(answer, /PERMISSION_DENIED: the certificate is of agent:a, not of agent b/);
});

test("an agent that has no part in the run is told so", async () => {
  const answer = await openStream(await agentIdentity("stranger"), helloOf("stranger"));
  assert.match(answer, /PERMISSION_DENIED: it has no part in this run/);
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
  const method = healthService.Check;
  assert.ok(method);
  const answer = await new Promise((resolve, reject) =>
    client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      { service: "" },
      (error, response) => (error ? reject(error) : resolve(response)),
    ),
  );
  client.close();
  assert.deepEqual(answer, { status: "SERVING" });
});

test("a port that another process listens on is named", async () => {
  const identity = await issue(authority, { name: "coordinator", hosts: ["127.0.0.1"] }, NOW);
  const second = createRpcServer(authority, identity);
  const port = Number(address.split(":")[1]);
  await assert.rejects(second.listen("127.0.0.1", port), /another process listens on it; choose/);
  await second.close();
});
