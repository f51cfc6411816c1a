import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { freePort } from "../../test/free-ports.ts";
import { MoestroError } from "../errors.ts";
import { createAuthority, issue } from "../rpc/certificates.ts";
import { parseRedisUrl } from "./redis-address.ts";
import { openRedisStore } from "./redis-store.ts";

const directory = mkdtempSync(join(tmpdir(), "moestro-tls-"));
const file = (name: string) => join(directory, name);
const USER = `ada:${encodeURIComponent("pa:ss/w@rd")}`;
const FILES = `ca=${file("ca.crt")}&cert=${file("redis.crt")}&key=${file("redis.key")}`;

let server: ChildProcess;
let address: string;

before(async () => {
  const authority = await createAuthority(new Date());
  const identity = await issue(
    authority,
    { name: "coordinator", hosts: ["127.0.0.1"] },
    new Date(),
  );
  writeFileSync(file("ca.crt"), authority.certificate);
  writeFileSync(file("redis.crt"), identity.certificate);
  writeFileSync(file("redis.key"), identity.key);
  const port = await freePort();
  address = `127.0.0.1:${port}`;
  server = spawn("redis-server", [
    ...["--port", "0", "--tls-port", String(port), "--bind", "127.0.0.1", "--save", ""],
    ...["--tls-cert-file", file("redis.crt"), "--tls-key-file", file("redis.key")],
    ...["--tls-ca-cert-file", file("ca.crt"), "--dir", directory],
    ...["--user", "default", "off"],
    ...["--user", "ada", "on", ">pa:ss/w@rd", "~moestro:*", "+@all"],
  ]);
  for await (const text of server.stdout ?? []) if (String(text).includes("Ready")) break;
});
after(async () => {
  server.kill("SIGKILL");
  await once(server, "exit");
  rmSync(directory, { recursive: true });
});

test("over TLS, user and password of an ACL let in", async () => {
  const { store } = await openRedisStore(`rediss://${USER}@${address}?${FILES}`);
  assert.deepEqual(await store.drained(), []);
  await store.close();
});

test("what the user may not touch is refused with what Redis says", async () => {
  const url = `rediss://${USER}@${address}?${FILES}`;
  const { store } = await openRedisStore(url, { prefix: "other:" });
  await assert.rejects(store.drained(), toldOnce(/NOPERM/));
  await store.close();
});

test("a wrong password and an unknown authority are told in one line, without the password", async () => {
  const wrong = `rediss://ada:s3cret@${address}?${FILES}`;
  await assert.rejects(openRedisStore(wrong), toldOnce(/WRONGPASS/));
  await assert.rejects(openRedisStore(`rediss://${USER}@${address}`), toldOnce(/certificate/));
});

test("an address says where, who and which database", () => {
  const plain = parseRedisUrl("redis://ada:a%2Fb@redis.example:6380/2");
  assert.equal(plain.label, "redis.example:6380");
  const login = { username: "ada", password: "a/b" };
  assert.deepEqual(plain.options, { host: "redis.example", port: 6380, db: 2, ...login });
  assert.deepEqual(parseRedisUrl("redis://[::1]").options, { host: "::1", port: 6379, db: 0 });
  assert.deepEqual(parseRedisUrl("unix:///a%20b/redis.sock").options, { path: "/a b/redis.sock" });
});

test("what is no address is refused with the rule and without repeating it", () => {
  for (const text of ["s3cret", "http://ada:s3cret@h", "redis://ada:s3cret@h/x", "unix://s3cret"]) {
    assert.throws(
      () => parseRedisUrl(text),
      (error) =>
        error instanceof MoestroError &&
        error.code === "invalid_input" &&
        /give redis:\/\//.test(error.message) &&
        !/s3cret/.test(error.message),
    );
  }
});

function toldOnce(pattern: RegExp) {
  return (error: unknown) =>
    error instanceof MoestroError &&
    error.lines.length === 1 &&
    pattern.test(error.message) &&
    !/s3cret|pa:ss/.test(error.message);
}
