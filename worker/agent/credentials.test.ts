import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { fingerprintOf } from "../../coordinator/rpc/certificate-facts.ts";
import { createAuthority, issue } from "../../coordinator/rpc/certificates.ts";
import {
  checked,
  readCredentials,
  writeCredentials,
} from "../../coordinator/rpc/credentials-file.ts";
import { startTestCoordinator, type TestCoordinator } from "../../coordinator/rpc/fixture.ts";
import { createToken } from "../../coordinator/rpc/tokens.ts";
import { AgentHelloSchema, ConnectRequestSchema } from "../../proto/gen/moestro/v1/agent_pb.js";
import { credentialsPath, type ObtainOptions, obtainCredentials } from "./credentials.ts";
import { renewWhenDue } from "./renewal.ts";

const HOUR_MS = 3_600_000;
const NOWHERE = "127.0.0.1:9";
let here: TestCoordinator;
let folders: string;

before(async () => {
  here = await startTestCoordinator();
  folders = mkdtempSync(join(tmpdir(), "moestro-credentials-"));
});
after(async () => {
  await here.close();
  rmSync(folders, { recursive: true });
});

async function newToken(): Promise<string> {
  const wanted = { role: "agent", name: "", createdBy: "user:ada", lifetimeMs: 60_000 } as const;
  const { text } = await createToken(here.store, wanted, Date.now());
  return `${text}.${fingerprintOf(here.authority.certificate)}`;
}

const obtain = (folder: string, options: Partial<ObtainOptions> = {}) =>
  obtainCredentials({
    coordinators: [here.address],
    joinAddresses: [here.joinAddress],
    token: undefined,
    directory: join(folders, folder),
    agentId: "node-0",
    ...options,
  });

test("an agent joins once and keeps what it got where only its owner reads it", async () => {
  const joined = await obtain("once", { token: await newToken() });
  assert.equal(joined.peer?.name, "agent:node-0");
  const directory = join(folders, "once");
  assert.equal(statSync(directory).mode & 0o777, 0o700);
  assert.equal(statSync(credentialsPath(directory)).mode & 0o777, 0o600);
  const beside = await obtain("once", { coordinators: [], joinAddresses: [] });
  assert.equal(beside.certificate, joined.certificate);
});

test("a token is not spent where a certificate still holds", async () => {
  const token = await newToken();
  const kept = await obtain("once", { token });
  assert.equal(kept.certificate, (await obtain("once")).certificate);
  await obtain("other", { token, agentId: "node-1" });
});

test("a coordinator that is away is passed over, and all that are away are told", async () => {
  const token = await newToken();
  const away = { token, joinAddresses: [NOWHERE, "127.0.0.1:1"] };
  await assert.rejects(obtain("away", away), {
    code: "environment",
    message: /^127.0.0.1:9: no coordinator answers there .*\n127.0.0.1:1: no coordinator/,
  });
  await obtain("away", { token, joinAddresses: [NOWHERE, here.joinAddress] });
});

test("without a certificate and a token an agent is told how to come by one", async () => {
  await assert.rejects(obtain("none"), /holds no certificate; join with --token, which moestro/);
});

test("an expired certificate is told without a token and replaced with one", async () => {
  await obtain("late", { token: await newToken() });
  const nowMs = Date.now() + 25 * HOUR_MS;
  await assert.rejects(obtain("late", { nowMs }), /expired on 20.*; join with --token/);
  const kept = readCredentials(credentialsPath(join(folders, "late")));
  const anew = await obtain("late", { nowMs, token: await newToken() });
  assert.notEqual(anew.certificate, kept?.certificate);
});

test("the folder of another agent is refused", async () => {
  await assert.rejects(
    obtain("once", { agentId: "node-7" }),
    /is the certificate of agent:node-0, not of agent:node-7; give each agent a folder/,
  );
});

test("a damaged file is told without a token and replaced with one", async () => {
  await obtain("damaged", { token: await newToken() });
  const path = credentialsPath(join(folders, "damaged"));
  const other = await here.agent("node-0");
  const text = readFileSync(path, "utf8");
  for (const damaged of [
    text.slice(0, 400),
    "",
    text.slice(0, text.indexOf("-----BEGIN PRIVATE")) + other.key,
  ]) {
    writeFileSync(path, damaged);
    await assert.rejects(obtain("damaged"), /is damaged: .*; remove it and join again/);
  }
  await obtain("damaged", { token: await newToken() });
});

test("a token of another cluster replaces the certificate of the old one", async () => {
  const foreign = await createAuthority(new Date());
  const old = await issue(foreign, { name: "agent:node-0", hosts: [] }, new Date());
  const path = credentialsPath(join(folders, "moved"));
  writeCredentials(path, { ...old, authority: foreign.certificate });
  const moved = await obtain("moved", { token: await newToken() });
  assert.equal(moved.authority.trim(), here.authority.certificate.trim());
});

test("somebody in between is noticed before the token is told", async () => {
  const [id, secret] = (await newToken()).split(".");
  const foreign = fingerprintOf((await createAuthority(new Date())).certificate);
  await assert.rejects(obtain("between", { token: `${id}.${secret}.${foreign}` }), {
    code: "invalid_input",
    message: /somebody stands between/,
  });
});

test("a certificate is renewed when two thirds of its life are over, and the next connection uses it", async () => {
  const directory = join(folders, "renewed");
  const credentials = await obtain("renewed", { token: await newToken() });
  let nowMs = Date.now() + 10 * HOUR_MS;
  const renewals: (typeof credentials)[] = [];
  const failures: string[] = [];
  const renewal = renewWhenDue({
    ...{ coordinators: [NOWHERE, here.address], credentials, directory, lookEveryMs: 5 },
    renewed: (next) => renewals.push(next),
    failed: (why) => failures.push(why),
    now: () => nowMs,
    random: () => 0,
  });
  const until = async (isSo: () => boolean) => {
    while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(renewals.length, 0);
  nowMs = Date.now() + 17 * HOUR_MS;
  await until(() => renewals.length > 0);
  renewal.stop();
  assert.deepEqual(failures, []);
  const [next] = renewals;
  assert.ok(next && next.key !== credentials.key);
  assert.deepEqual(readCredentials(credentialsPath(directory)), next);
  const hello = create(AgentHelloSchema, { agentId: "node-0" });
  const message = { case: "hello", value: hello } as const;
  const stream = here.openStream(next, create(ConnectRequestSchema, { message }));
  assert.equal(await stream.answer, "welcome");
  stream.close();
});

test("a renewal that fails is told once and tried until it succeeds", async () => {
  const directory = join(folders, "failing");
  const credentials = await obtain("failing", { token: await newToken() });
  const coordinators = [NOWHERE];
  const told: string[] = [];
  await new Promise<void>((resolve) => {
    const renewal = renewWhenDue({
      ...{ coordinators, credentials, directory, lookEveryMs: 5 },
      now: () => Date.now() + 20 * HOUR_MS,
      random: () => 1,
      failed: (why) => {
        told.push(why);
        setTimeout(() => coordinators.push(here.address), 50);
      },
      renewed: () => {
        renewal.stop();
        resolve();
      },
    });
  });
  assert.equal(told.length, 1);
  assert.match(told[0] ?? "", /^the certificate, good until 20.*Z, could not be renewed: 127/);
});

test("what does not belong together is no credentials", async () => {
  const [one, other] = [await here.agent("a"), await here.agent("a")];
  const authority = here.authority.certificate;
  checked({ ...one, authority });
  assert.throws(() => checked({ authority, certificate: one.certificate, key: other.key }));
  const foreign = (await createAuthority(new Date())).certificate;
  assert.throws(() => checked({ ...one, authority: foreign }));
});
