import "reflect-metadata";
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { after, before, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { type ServiceError, status } from "@grpc/grpc-js";
import { BasicConstraintsExtension, Pkcs10CertificateRequestGenerator } from "@peculiar/x509";
import fc from "fast-check";
import { AgentHelloSchema, ConnectRequestSchema } from "../../proto/gen/moestro/v1/agent_pb.js";
import {
  CreateTokenRequestSchema,
  IdentityService,
  JoinRequestSchema,
  JoinService,
  ListTokensRequestSchema,
  RenewRequestSchema,
  RevokeTokenRequestSchema,
  Role as RoleCode,
} from "../../proto/gen/moestro/v1/join_pb.js";
import { GetRunRequestSchema, RunService } from "../../proto/gen/moestro/v1/run_pb.js";
import { grpcMethods } from "../../proto/grpc.ts";
import { requestUnary } from "./call-unary.ts";
import { fingerprintOf, readCertificate } from "./certificate-facts.ts";
import { createCertificateRequest } from "./certificate-request.ts";
import { ALGORITHM, createAuthority } from "./certificates.ts";
import { openClient } from "./client.ts";
import { startTestCoordinator, type TestCoordinator } from "./fixture.ts";
import { joinCluster } from "./join-client.ts";
import { type Role, roleCode } from "./roles.ts";
import { parseToken } from "./tokens.ts";

const identity = grpcMethods(IdentityService);
const { join } = grpcMethods(JoinService);
const HOUR_MS = 3_600_000;
let here: TestCoordinator;

before(async () => {
  here = await startTestCoordinator();
});
after(() => here.close());

/** A token as an admin makes it over the wire. */
async function newToken(role: Role, name = "", lifetimeMs = 0): Promise<string> {
  const { response, error } = await here.call(
    await here.person("ada", "admin"),
    identity.createToken,
    create(CreateTokenRequestSchema, {
      ...{ role: roleCode(role), name, lifetimeMs: BigInt(lifetimeMs) },
    }),
  );
  assert.equal(error, undefined);
  return response?.token ?? "";
}

const joinAs = (name: string, text: string, address = here.joinAddress) =>
  joinCluster({ address, name, token: parseToken(text) });

/** Join by hand, for requests that the client never makes. */
async function rawJoin(request: { token: string; name: string; certificateRequest: Uint8Array }) {
  const client = openClient(here.joinAddress, { authority: here.authority.certificate });
  try {
    await requestUnary(client, join, create(JoinRequestSchema, request));
    return undefined;
  } catch (error) {
    return error as ServiceError;
  } finally {
    client.close();
  }
}

test("an agent with a token gets a certificate of its name for a day, which opens its stream", async () => {
  const material = await joinAs("agent:node-0", await newToken("agent"));
  const { peer, validFromMs, validToMs } = readCertificate(material.certificate);
  assert.deepEqual(peer, { name: "agent:node-0", id: "node-0", role: "agent" });
  assert.equal(validToMs - validFromMs, 26 * HOUR_MS);
  const hello = create(AgentHelloSchema, { agentId: "node-0" });
  const stream = here.openStream(
    material,
    create(ConnectRequestSchema, { message: { case: "hello", value: hello } }),
  );
  assert.equal(await stream.answer, "welcome");
  stream.close();
  assert.ok(
    here.audited().some(({ rpc, target }) => rpc === "JoinService/Join" && target === "node-0"),
  );
});

test("a person joins in the token's role", async () => {
  const material = await joinAs("user:vic", await newToken("viewer", "vic"));
  assert.equal(readCertificate(material.certificate).peer?.role, "viewer");
  const { getRun } = grpcMethods(RunService);
  const { error } = await here.call(material, getRun, create(GetRunRequestSchema, { runId: "r" }));
  assert.equal(error, undefined);
});

test("a token is good once", async () => {
  const text = await newToken("agent");
  await joinAs("agent:a", text);
  await assert.rejects(joinAs("agent:a", text), /the token is not good \(any more\)/);
});

test("a token is good for minutes", async () => {
  const text = await newToken("agent", "", 60_000);
  here.clock.now = () => Date.now() + 60_001;
  await assert.rejects(joinAs("agent:a", text), /the token is not good \(any more\)/);
  here.clock.now = Date.now;
});

test("an agent's token makes no person, and a viewer's no agent", async () => {
  const agent = await newToken("agent");
  await assert.rejects(joinAs("user:ada", agent), /the token makes agent:ada, and user:ada was/);
  const viewer = await newToken("viewer", "vic");
  await assert.rejects(joinAs("agent:vic", viewer), /the token makes user:vic, and agent:vic was/);
  // Neither is used up by that.
  await joinAs("agent:ada", agent);
  await joinAs("user:vic", viewer);
});

test("a token for one node is not good for another", async () => {
  const text = await newToken("agent", "node-1");
  await assert.rejects(joinAs("agent:node-2", text), /the token is for node-1, not for node-2/);
});

test("a server of another authority learns nothing of the token", async () => {
  const text = await newToken("agent");
  const { id, secret } = parseToken(text);
  const foreign = fingerprintOf((await createAuthority(new Date())).certificate);
  await assert.rejects(
    joinAs("agent:a", `${id}.${secret}.${foreign}`),
    /its authority is not the one the token names: .* somebody stands between/,
  );
  await joinAs("agent:a", text);
});

test("nobody at the address is told in one line", async () => {
  const text = await newToken("agent");
  await assert.rejects(
    joinAs("agent:a", text, "127.0.0.1:9"),
    /^MoestroError: 127\.0\.0\.1:9: no coordinator answers there \(connect ECONNREFUSED/,
  );
});

test("of a request that asks for more, only the key gets into the certificate", async () => {
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: ["agent:a"] }, { OU: ["admin"] }, { O: ["moestro"] }],
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [new BasicConstraintsExtension(true, 5, true)],
  });
  const { id, secret } = parseToken(await newToken("agent"));
  const client = openClient(here.joinAddress, { authority: here.authority.certificate });
  const { certificate } = await requestUnary(
    client,
    join,
    create(JoinRequestSchema, {
      ...{ token: `${id}.${secret}`, name: "a" },
      certificateRequest: new Uint8Array(request.rawData),
    }),
  );
  client.close();
  const made = new X509Certificate(certificate);
  assert.equal(made.ca, false);
  assert.equal(made.subject, "CN=agent:a\nOU=agent");
});

test("a request that is damaged, too long or no request is refused and leaves the token good", async () => {
  const text = await newToken("agent");
  const { id, secret } = parseToken(text);
  const { request } = await createCertificateRequest("agent:a");
  const flipped = request.slice();
  flipped[request.length - 5] = (flipped[request.length - 5] ?? 0) ^ 1;
  const bad = [new Uint8Array(), new Uint8Array(5000), flipped, request.slice(0, -3)];
  for (const certificateRequest of bad) {
    const error = await rawJoin({ token: `${id}.${secret}`, name: "a", certificateRequest });
    assert.equal(error?.code, status.INVALID_ARGUMENT);
    assert.match(error?.details ?? "", /^certificate request: .*; a PKCS #10 request/);
  }
  const tooLong = await rawJoin({
    ...{ token: "x".repeat(20_000), name: "a", certificateRequest: request },
  });
  assert.equal(tooLong?.code, status.RESOURCE_EXHAUSTED);
  for (const name of ["", "a b", "a\nCN=b", "a,CN=b", "x".repeat(101), "../a"]) {
    const error = await rawJoin({ token: `${id}.${secret}`, name, certificateRequest: request });
    assert.equal(error?.code, status.INVALID_ARGUMENT);
  }
  await joinAs("agent:a", text);
});

test("whatever bytes a request is made of, the answer is one sentence", async () => {
  const { request } = await createCertificateRequest("agent:a");
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.uint8Array({ maxLength: 600 }),
        fc.tuple(fc.nat(request.length - 1), fc.integer({ min: 1, max: 255 })).map(([at, bits]) => {
          const damaged = request.slice();
          damaged[at] = (damaged[at] ?? 0) ^ bits;
          return damaged;
        }),
      ),
      async (certificateRequest) => {
        const error = await rawJoin({ token: "none.none", name: "a", certificateRequest });
        assert.ok(
          [status.INVALID_ARGUMENT, status.PERMISSION_DENIED].includes(error?.code ?? status.OK),
        );
        assert.doesNotMatch(error?.details ?? "", /\n/);
      },
    ),
    { numRuns: 60 },
  );
});

test("a renewed certificate has the name and role of the old one, whoever it asks to be", async () => {
  const { request } = await createCertificateRequest("user:ada");
  for (const [who, peer] of [
    [await here.agent("a"), { name: "agent:a", id: "a", role: "agent" }],
    [await here.person("vic", "viewer"), { name: "user:vic", id: "vic", role: "viewer" }],
  ] as const) {
    const { response } = await here.call(
      who,
      identity.renew,
      create(RenewRequestSchema, { certificateRequest: request }),
    );
    assert.deepEqual(readCertificate(response?.certificate ?? "").peer, peer);
  }
});

test("admins make, list and revoke tokens; nobody else does", async () => {
  const admin = await here.person("ada", "admin");
  const text = await newToken("submitter", "sue");
  const { id, secret } = parseToken(text);
  const list = create(ListTokensRequestSchema);
  const { response } = await here.call(admin, identity.listTokens, list);
  const listed = response?.tokens.find((token) => token.id === id);
  assert.equal(listed?.createdBy, "user:ada");
  assert.equal(listed?.role, RoleCode.SUBMITTER);
  const revoke = create(RevokeTokenRequestSchema, { id });
  for (const who of [
    await here.person("sue", "submitter"),
    await here.person("vic", "viewer"),
    await here.agent("a"),
  ]) {
    for (const { error } of [
      await here.call(who, identity.listTokens, list),
      await here.call(who, identity.revokeToken, revoke),
      await here.call(who, identity.createToken, create(CreateTokenRequestSchema)),
    ]) {
      assert.equal(error?.code, status.PERMISSION_DENIED);
    }
  }
  assert.equal((await here.call(admin, identity.revokeToken, revoke)).error, undefined);
  const again = await here.call(admin, identity.revokeToken, revoke);
  assert.equal(again.error?.code, status.NOT_FOUND);
  await assert.rejects(joinAs("user:sue", text), /the token is not good/);
  const log = here.audited();
  assert.ok(log.some(({ target }) => target === `${id} for submitter sue`));
  assert.ok(!JSON.stringify(log).includes(secret));
});

test("an admin's token of no role at all is not made", async () => {
  const { error } = await here.call(
    await here.person("ada", "admin"),
    identity.createToken,
    create(CreateTokenRequestSchema, { role: 17 as RoleCode }),
  );
  assert.equal(error?.code, status.INVALID_ARGUMENT);
});
