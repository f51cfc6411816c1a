import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { openSqliteStore } from "../store/sqlite-store.ts";
import type { Store } from "../store/store.ts";
import {
  createToken,
  findToken,
  MAX_TOKEN_LIFETIME_MS,
  parseToken,
  TokenRefused,
  usableTokens,
} from "./tokens.ts";

const MINUTE_MS = 60_000;
let directory: string;
let store: Store;

before(() => {
  directory = mkdtempSync(join(tmpdir(), "moestro-tokens-"));
  store = openSqliteStore(join(directory, "moestro.db"));
});
after(async () => {
  await store.close();
  rmSync(directory, { recursive: true });
});

const agentToken = (name = "", lifetimeMs = MINUTE_MS) =>
  createToken(store, { role: "agent", name, createdBy: "user:ada", lifetimeMs }, 0);

test("a token's text passes any shell and its secret has 256 bits", async () => {
  const { text } = await agentToken();
  assert.match(text, /^[0-9a-f]{16}\.[A-Za-z0-9_-]{43}$/);
});

test("what is stored does not hold the secret", async () => {
  const { text } = await agentToken();
  const [, secret = ""] = text.split(".");
  assert.ok(!JSON.stringify(await store.tokens()).includes(secret));
  for (const file of ["moestro.db", "moestro.db-wal"]) {
    assert.ok(!readFileSync(join(directory, file)).includes(secret));
  }
});

test("of many that take one token at once, one gets it", async () => {
  const { text } = await agentToken();
  const found = await Promise.all(
    Array.from({ length: 8 }, () => findToken(store, { text, name: "a" }, 0)),
  );
  const taken = await Promise.allSettled(found.map(({ take }) => take()));
  assert.equal(taken.filter(({ status }) => status === "fulfilled").length, 1);
});

test("unknown, used, expired and mistyped tokens are refused in the same words", async () => {
  const { text: used } = await agentToken();
  await (await findToken(store, { text: used, name: "a" }, 0)).take();
  const { text } = await agentToken();
  const [id = "", secret = ""] = text.split(".");
  const tries = [
    { text: used, at: 0 },
    { text: `0123456789abcdef.${secret}`, at: 0 },
    { text: `${id}.${secret.slice(1)}x`, at: 0 },
    { text: id, at: 0 },
    { text: "", at: 0 },
    { text, at: MINUTE_MS },
  ];
  const said = await Promise.all(
    tries.map(({ text, at }) =>
      findToken(store, { text, name: "a" }, at).then(
        () => "taken",
        (error) => {
          assert.ok(error instanceof TokenRefused);
          return error.message;
        },
      ),
    ),
  );
  assert.equal(new Set(said).size, 1);
  assert.match(said[0] ?? "", /^the token is not good \(any more\)/);
  // A wrong guess does not use it up.
  await (await findToken(store, { text, name: "a" }, 0)).take();
});

test("a token for one name is not good for another, and is not used up by the attempt", async () => {
  const { text } = await agentToken("node-1");
  await assert.rejects(findToken(store, { text, name: "node-2" }, 0), /is for node-1, not for/);
  await (await findToken(store, { text, name: "node-1" }, 0)).take();
});

test("a person's token needs the person's name", async () => {
  const wanted = { role: "viewer", name: "", createdBy: "user:ada", lifetimeMs: 1 } as const;
  await assert.rejects(createToken(store, wanted, 0), /good for one name; give it/);
});

test("lifetimes and names out of bounds are refused with the rule", async () => {
  await assert.rejects(agentToken("", MAX_TOKEN_LIFETIME_MS + 1), /at most 24 hours/);
  await assert.rejects(agentToken("", 0), /more than 0/);
  await assert.rejects(agentToken("", Number.NaN), /more than 0/);
  await assert.rejects(agentToken("a b"), /1 to 100 letters/);
  await assert.rejects(agentToken("-rf"), /the first a letter or a digit/);
});

test("tokens past their time are not shown, and go when the next is made", async () => {
  const { text } = await agentToken("", 1);
  const [id] = text.split(".");
  const ids = async () => (await store.tokens()).map((token) => token.id);
  assert.ok((await usableTokens(store, 0)).some((token) => token.id === id));
  assert.ok(!(await usableTokens(store, 1)).some((token) => token.id === id));
  await createToken(store, { role: "agent", name: "", createdBy: "x", lifetimeMs: 1 }, 5);
  assert.ok(!(await ids()).includes(id ?? ""));
});

test("text that is no token is told apart from one", () => {
  const whole = `0123456789abcdef.${"s".repeat(43)}.${"f".repeat(43)}`;
  assert.equal(parseToken(` ${whole}\n`).fingerprint, "f".repeat(43));
  assert.throws(() => parseToken(whole.slice(0, -1)), /no whole token/);
  fc.assert(
    fc.property(fc.string(), (text) => {
      assert.throws(() => parseToken(text), /no whole token/);
    }),
  );
});
