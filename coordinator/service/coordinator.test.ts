import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "node:tls";
import { create } from "@bufbuild/protobuf";
import { FleetService, ListAgentsRequestSchema } from "../../proto/gen/moestro/v1/fleet_pb.js";
import { grpcMethods } from "../../proto/grpc.ts";
import { openLog } from "../observability/log.ts";
import { SCHEDULING_OPTIONS } from "../queue/schedule.ts";
import { splitAddress } from "../rpc/address.ts";
import { loadAuthority } from "../rpc/authority.ts";
import { requestUnary } from "../rpc/call-unary.ts";
import { issue } from "../rpc/certificates.ts";
import { openClient, type TlsMaterial } from "../rpc/client.ts";
import { otherLeader } from "../rpc/not-leading.ts";
import { RedisFixture } from "../store/redis-fixture.ts";
import type { Advertise } from "./advertised-address.ts";
import { Coordinator } from "./coordinator.ts";

const { listAgents } = grpcMethods(FleetService);
const ADVERTISED: Advertise = { host: "train-0.example.org", port: undefined };

const folder = mkdtempSync(join(tmpdir(), "moestro-coordinators-"));
let redis: RedisFixture;
let material: TlsMaterial;
const open: Coordinator[] = [];

before(async () => {
  redis = await RedisFixture.start();
  const authority = await loadAuthority(folder, new Date());
  const person = await issue(authority, { name: "user:ann", hosts: [] }, new Date());
  material = { authority: authority.certificate, ...person };
});
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});
after(async () => {
  await redis.remove();
  rmSync(folder, { recursive: true });
});

/** Coordinators of one service, all on the same Redis. */
async function start(host: string, advertise?: Advertise): Promise<Coordinator> {
  const coordinator = await Coordinator.start({
    ...{ stateDirectory: folder, runsDirectory: folder, cacheDirectory: folder },
    ...{ redisUrl: redis.url, listen: { host, port: 0 }, advertise, joinPort: 0 },
    ...{ quotas: { byOwner: new Map(), total: undefined }, scheduling: SCHEDULING_OPTIONS },
    keepEnded: 10,
    ...{ networkInterface: "", http: undefined, log: openLog({ level: "error" }) },
  });
  open.push(coordinator);
  return coordinator;
}

/** Where a coordinator that stands by says that the leader is. */
async function leaderBy(coordinator: Coordinator): Promise<string> {
  const client = openClient(coordinator.localAddress, material);
  try {
    for (;;) {
      const request = create(ListAgentsRequestSchema);
      const refused = await requestUnary(client, listAgents, request).catch((error) => error);
      const leader = otherLeader(refused)?.leader;
      if (leader !== undefined) return leader;
      await sleep(50);
    }
  } finally {
    client.close();
  }
}

async function namesOn(coordinator: Coordinator): Promise<string> {
  const { authority, certificate, key } = material;
  const tls = connect({
    ...splitAddress(coordinator.localAddress),
    ...{ ca: authority, cert: certificate, key, servername: "coordinator" },
    ALPNProtocols: ["h2"],
  });
  await once(tls, "secureConnect");
  const { raw } = tls.getPeerCertificate();
  tls.destroy();
  return new X509Certificate(raw).subjectAltName ?? "";
}

async function leads(coordinator: Coordinator): Promise<void> {
  while (!coordinator.isLeading) await sleep(20);
}

test("a leader that listens on every address says by which one it is reached", async () => {
  const first = await start("0.0.0.0");
  await leads(first);
  const second = await start("0.0.0.0");
  assert.equal(await leaderBy(second), first.address);
  const { host, port } = splitAddress(first.address);
  assert.notEqual(host, "0.0.0.0");
  assert.equal(port, splitAddress(first.localAddress).port);
  assert.match(await namesOn(first), new RegExp(`[:]${host.replaceAll(".", "\\.")}(,|$)`));
});

test("a leader is where its --advertise says, and its certificate has that name", async () => {
  const first = await start("127.0.0.1", ADVERTISED);
  await leads(first);
  const { port } = splitAddress(first.localAddress);
  assert.equal(first.address, `train-0.example.org:${port}`);
  const second = await start("127.0.0.1");
  assert.equal(await leaderBy(second), first.address);
  assert.match(await namesOn(first), /DNS:train-0\.example\.org/);
  const third = await start("127.0.0.1", { host: "2001:db8::7", port: 7443 });
  assert.equal(third.address, "[2001:db8::7]:7443");
});

test("a leader on IPv6's wildcard is reached as well", { skip: noIpv6() }, async () => {
  const first = await start("::");
  await leads(first);
  assert.match(first.localAddress, /^\[::1\]:\d+$/);
  const second = await start("::");
  assert.equal(await leaderBy(second), first.address);
});

function noIpv6(): string | false {
  const some = Object.values(networkInterfaces()).flat();
  return some.some((one) => one?.address === "::1") ? false : "this machine has no IPv6";
}
