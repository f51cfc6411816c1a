import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { connect } from "./call-unary.ts";
import { createAuthority, type Identity, issue } from "./certificates.ts";
import type { Trust } from "./client.ts";
import { startTestCoordinator, type TestCoordinator } from "./fixture.ts";

const DAY_MS = 86_400_000;
let here: TestCoordinator;
let foreign: Identity;
let authority: string;

before(async () => {
  here = await startTestCoordinator();
  foreign = await createAuthority(new Date());
  authority = here.authority.certificate;
});
after(() => here.close());

/** The one line a person is told. */
async function told(trust: Trust, address = here.address): Promise<string> {
  try {
    (await connect({ address, trust })).close();
    return "connected";
  } catch (error) {
    return (error as Error).message.replace(here.address, "HERE");
  }
}

const HUNG_UP =
  /^HERE: it hung up( \([a-z ]+\))?, as on a certificate that has expired or is of another authority; join or log in again$/;

test("somebody with a certificate that holds connects", async () => {
  assert.equal(await told({ ...(await here.person("a", "viewer")), authority }), "connected");
});

test("nobody at the address is told with the cause", async () => {
  assert.equal(
    await told({ authority }, "127.0.0.1:9"),
    "127.0.0.1:9: no coordinator answers there (connect ECONNREFUSED 127.0.0.1:9); check the address and that it runs",
  );
});

test("a host that is none is told", async () => {
  assert.equal(
    await told({ authority }, "no.such.host.invalid:9"),
    "no.such.host.invalid:9: there is no host of this name; check the address",
  );
});

test("a coordinator of another authority is told from one that is away", async () => {
  const trust = { ...(await here.person("a", "viewer")), authority: foreign.certificate };
  assert.match(
    await told(trust),
    /^HERE: it is not a coordinator of the authority that was joined/,
  );
});

test("a certificate that has expired is told as what it may be", async () => {
  const longAgo = new Date(Date.now() - 100 * DAY_MS);
  const expired = await issue(here.authority, { name: "user:a", hosts: [] }, longAgo);
  assert.match(await told({ ...expired, authority }), HUNG_UP);
});

test("a certificate of another authority is told as what it may be", async () => {
  const stranger = await issue(foreign, { name: "user:a", hosts: [] }, new Date());
  assert.match(await told({ ...stranger, authority }), HUNG_UP);
});

test("having no certificate is told, on one line", async () => {
  assert.match(await told({ authority }), HUNG_UP);
});
