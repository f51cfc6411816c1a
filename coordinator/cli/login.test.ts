import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, type TestContext, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { Command } from "commander";
import {
  GetRunRequestSchema,
  ListRunsRequestSchema,
  RunService,
  StopRunRequestSchema,
} from "../../proto/gen/moestro/v1/run_pb.js";
import { grpcMethods } from "../../proto/grpc.ts";
import { AUTHORITY_FILE, writePrivate } from "../rpc/authority.ts";
import { requestUnary } from "../rpc/call-unary.ts";
import { issue } from "../rpc/certificates.ts";
import { readCredentials } from "../rpc/credentials-file.ts";
import { startTestCoordinator, type TestCoordinator } from "../rpc/fixture.ts";
import { createGuard } from "../rpc/guard.ts";
import { notLeading } from "../rpc/not-leading.ts";
import { createRpcServer } from "../rpc/server.ts";
import { callCoordinator, connectToCoordinator, writeContext } from "./context.ts";
import { localCoordinators, publishCoordinator } from "./local-coordinators.ts";
import { loginCommand } from "./login.ts";
import { tokenCommand } from "./token.ts";

const runs = grpcMethods(RunService);
const NOWHERE = "127.0.0.1:9";
const DAY_MS = 86_400_000;
let here: TestCoordinator;
let home: string;

before(async () => {
  here = await startTestCoordinator();
});
after(() => here.close());

/** Each test is a person with a home of its own. */
beforeEach((t) => {
  home = mkdtempSync(join(tmpdir(), "moestro-home-"));
  process.env.MOESTRO_HOME = home;
  (t as TestContext).after(() => rmSync(home, { recursive: true }));
});

/** This machine is the coordinator's own: its authority lies in the person's home. */
function ownMachine(): void {
  const { certificate, key } = here.authority;
  writePrivate(join(home, AUTHORITY_FILE), `${certificate}\n${key}\n`);
}

/** Runs a command and returns what it printed on standard output. */
async function moestro(t: TestContext, ...args: string[]): Promise<string> {
  const lines: string[] = [];
  const log = t.mock.method(console, "log", (line: string) => lines.push(line));
  const error = t.mock.method(console, "error", () => {});
  const root = new Command().exitOverride();
  for (const one of [loginCommand(), tokenCommand()]) root.addCommand(one.exitOverride());
  try {
    await root.parseAsync(args, { from: "user" });
  } finally {
    log.mock.restore();
    error.mock.restore();
  }
  return lines.join("\n");
}

const list = () => callCoordinator(runs.listRuns, create(ListRunsRequestSchema));

test("an admin makes a token on the coordinator's machine, a person logs in with it elsewhere", async (t) => {
  ownMachine();
  const withdraw = publishCoordinator(here.address);
  const token = await moestro(t, "token", "create", "--role", "viewer", "--name", "vic");
  withdraw();
  rmSync(join(home, AUTHORITY_FILE));
  const said = await moestro(
    t,
    ...["login", "--coordinator", here.address, "--join-address", here.joinAddress],
    ...["--token", token, "--name", "vic"],
  );
  assert.match(said, new RegExp(`^logged in to ${here.address} as vic, viewer, until 20`));
  for (const file of ["context.json", "credentials.pem"]) {
    assert.equal(statSync(join(home, file)).mode & 0o777, 0o600);
  }
  assert.equal((await list()).runs.length, 2);
  const stop = create(StopRunRequestSchema, { runId: "r" });
  await assert.rejects(callCoordinator(runs.stopRun, stop), {
    code: "invalid_input",
    message: `${here.address}: user:vic has the role viewer; this takes admin or submitter`,
  });
});

test("tokens are listed and revoked, as a table and as JSON", async (t) => {
  ownMachine();
  const on = ["--coordinator", here.address];
  const made = JSON.parse(
    await moestro(t, "token", "create", "--lifetime", "2h", "--json", ...on),
  ) as { id: string; role: string; token: string; expiresAt: string };
  assert.equal(made.role, "agent");
  assert.ok(Date.parse(made.expiresAt) > Date.now() + 7_000_000);
  assert.match(await moestro(t, "token", "list", ...on), new RegExp(`${made.id}  agent +any`));
  const shown = await moestro(t, "token", "list", "--json", ...on);
  assert.ok(shown.includes(made.id) && !shown.includes(made.token.split(".")[1] ?? ""));
  assert.equal(await moestro(t, "token", "revoke", made.id, ...on), `token ${made.id} is revoked`);
  await assert.rejects(moestro(t, "token", "revoke", made.id, ...on), /there is none \(any more\)/);
});

test("a person's token without a name, and a time that is none, are refused", async (t) => {
  ownMachine();
  const on = ["--coordinator", here.address];
  await assert.rejects(
    moestro(t, "token", "create", "--role", "admin", ...on),
    /role admin: a person's token is good for one name; give it/,
  );
  await assert.rejects(
    moestro(t, "token", "create", "--lifetime", "25h", ...on),
    /at most 24 hours/,
  );
});

test("where no coordinator is known a person is told both ways to one", async () => {
  await assert.rejects(list(), /moestro serve, or log in to one with: moestro login/);
});

test("a coordinator that ended without a word is not looked for again", () => {
  publishCoordinator(here.address)();
  assert.deepEqual(localCoordinators(), []);
  const path = join(home, "coordinators", "1.json");
  const holder = { pid: 1, startedAt: "long ago" };
  writeFileSync(path, JSON.stringify({ address: NOWHERE, holder }));
  assert.deepEqual(localCoordinators(), []);
  assert.throws(() => readFileSync(path), /ENOENT/);
});

test("coordinators that are away are passed over, in calls and in streams", async () => {
  await loggedIn([NOWHERE, here.address]);
  assert.equal((await list()).runs.length, 2);
  const client = await connectToCoordinator();
  const request = create(GetRunRequestSchema, { runId: "r" });
  assert.equal((await requestUnary(client, runs.getRun, request)).status?.runId, "r");
  client.close();
});

test("when all are away each is told", async () => {
  await loggedIn([NOWHERE, "127.0.0.1:1"]);
  await assert.rejects(list(), { code: "environment", message: /^127.0.0.1:9: .*\n127.0.0.1:1: / });
});

test("a coordinator that stands by names the one that leads, and the call goes there", async () => {
  const standby = await startStandby(notLeading(here.address));
  await loggedIn([standby.address]);
  assert.equal((await list()).runs.length, 2);
  await standby.close();
});

test("while nobody leads the call waits for somebody to", async () => {
  const standby = await startStandby(notLeading(undefined));
  await loggedIn([standby.address]);
  setTimeout(() => standby.say(notLeading(here.address)), 100);
  assert.equal((await list()).runs.length, 2);
  await standby.close();
});

test("a person's certificate is renewed by being used", async () => {
  await loggedIn([here.address], -40 * DAY_MS);
  const path = join(home, "credentials.pem");
  const before = readCredentials(path);
  await list();
  const renewed = readCredentials(path);
  assert.ok(before && renewed && renewed.validToMs > before.validToMs);
  assert.equal(renewed.peer?.name, "user:vic");
  assert.equal(renewed.peer?.role, "viewer");
});

test("an expired login is told with the remedy", async () => {
  await loggedIn([here.address], -90 * DAY_MS);
  await assert.rejects(list(), /the certificate expired on 20.*; log in again with a token/);
});

/** A person who has logged in as a viewer, so many milliseconds ago. */
async function loggedIn(coordinators: string[], since = 0): Promise<void> {
  const wanted = { name: "user:vic", role: "viewer", hosts: [] } as const;
  const identity = await issue(here.authority, wanted, new Date(Date.now() + since));
  const authority = here.authority.certificate;
  writeContext({ coordinators, name: "vic", role: "viewer" }, { ...identity, authority });
}

/** A coordinator that leads nothing, and says so. */
async function startStandby(words: string) {
  let details = words;
  const guard = createGuard({ ownerOf: async () => undefined });
  const rpc = createRpcServer(here.authority, here.identity, guard);
  const refuse = { code: status.UNAVAILABLE };
  const unary = (_call: unknown, reply: (error: object) => void) => reply({ ...refuse, details });
  const names = Object.keys(runs);
  rpc.server.addService(runs, Object.fromEntries(names.map((name) => [name, unary])));
  return {
    address: `127.0.0.1:${await rpc.listen("127.0.0.1", 0)}`,
    say(words: string) {
      details = words;
    },
    close: () => rpc.close(),
  };
}
