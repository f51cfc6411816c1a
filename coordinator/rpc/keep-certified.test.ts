import assert from "node:assert/strict";
import { test } from "node:test";
import { connect as tlsConnect } from "node:tls";
import { create } from "@bufbuild/protobuf";
import { GetRunRequestSchema, RunService } from "../../proto/gen/moestro/v1/run_pb.js";
import { grpcMethods } from "../../proto/grpc.ts";
import { requestUnary } from "./call-unary.ts";
import { issue } from "./certificates.ts";
import { openClient } from "./client.ts";
import { startTestCoordinator } from "./fixture.ts";
import { issueCoordinator, keepCertified } from "./keep-certified.ts";

const DAY_MS = 86_400_000;
const { getRun } = grpcMethods(RunService);
const request = create(GetRunRequestSchema, { runId: "r" });

/** Serial number of the certificate a server shows. */
function shownAt(address: string): Promise<string> {
  const [host = "", port] = address.split(":");
  return new Promise((resolve, reject) => {
    const options = { host, port: Number(port), rejectUnauthorized: false, ALPNProtocols: ["h2"] };
    const socket = tlsConnect(options, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

test("a server that runs for months shows new certificates, and connections that stand go on", async () => {
  const here = await startTestCoordinator();
  const old = await shownAt(here.joinAddress);
  const ann = { ...(await here.person("ann", "viewer")), authority: here.authority.certificate };
  const client = openClient(here.address, ann);
  await requestUnary(client, getRun, request);
  const stop = keepCertified(here.authority, ["127.0.0.1"], [here.rpc, here.joining], 20);
  while ((await shownAt(here.joinAddress)) === old) await new Promise(setImmediate);
  stop();
  await requestUnary(client, getRun, request);
  client.close();
  const later = openClient(here.address, ann, { "grpc.use_local_subchannel_pool": 1 });
  await requestUnary(later, getRun, request);
  later.close();
  await here.close();
});

test("a server whose certificate has expired is trusted again once it has a new one", async () => {
  const here = await startTestCoordinator();
  const ann = { ...(await here.person("ann", "viewer")), authority: here.authority.certificate };
  const ask = async () => {
    const client = openClient(here.address, ann, { "grpc.use_local_subchannel_pool": 1 });
    try {
      return await requestUnary(client, getRun, request);
    } finally {
      client.close();
    }
  };
  const longAgo = new Date(Date.now() - 100 * DAY_MS);
  const hosts = ["127.0.0.1"];
  here.rpc.setIdentity(await issue(here.authority, { name: "coordinator", hosts }, longAgo));
  await assert.rejects(ask(), /certificate has expired/);
  here.rpc.setIdentity(await issueCoordinator(here.authority, hosts));
  assert.equal((await ask()).status?.runId, "r");
  await here.close();
});
