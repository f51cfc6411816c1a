import assert from "node:assert/strict";
import { test } from "node:test";
import { readCertificate } from "./certificate-facts.ts";
import { createAuthority, issue, type LeafRequest } from "./certificates.ts";
import { peerOfSubject } from "./peer.ts";

async function peerIn(request: Omit<LeafRequest, "hosts">) {
  const authority = await createAuthority(new Date());
  const { certificate } = await issue(authority, { ...request, hosts: [] }, new Date());
  return readCertificate(certificate).peer;
}

test("a certificate says which run its agent is for, whatever the run is called", async () => {
  const peer = { name: "agent:a", id: "a", role: "agent" };
  assert.deepEqual(await peerIn({ name: "agent:a" }), peer);
  for (const runId of ["r", "a".repeat(100), "OU=admin", "a,CN=user:ada", "a\nCN=user:ada"]) {
    assert.deepEqual(await peerIn({ name: "agent:a", runId }), { ...peer, runId });
  }
});

test("a person for a run, or an agent for several, is nobody", async () => {
  assert.equal(await peerIn({ name: "user:ada", runId: "r" }), undefined);
  assert.equal(peerOfSubject({ CN: "agent:a", OU: "agent", O: ["r", "s"] }), undefined);
  assert.equal(peerOfSubject({ CN: ["agent:a", "agent:b"], OU: "agent" }), undefined);
});
