import assert from "node:assert/strict";
import { it } from "node:test";
import { DEFINITIONS } from "./api-server.ts";
import { TOYS, toy } from "./fixture.ts";
import { at } from "./json.ts";
import { openCluster, ownName } from "./open-cluster.ts";
import { startCluster } from "./start.ts";
import { whichServer } from "./which-server.ts";

it("the environment says which server tests run against", () => {
  const kinds = [
    {},
    { KUBEBUILDER_ASSETS: "/a" },
    { KUBEBUILDER_ASSETS: "/a", MOESTRO_TEST_KUBECONFIG: "/b" },
    { MOESTRO_TEST_KUBECONFIG: "" },
  ].map((environment) => whichServer(environment).kind);
  assert.deepEqual(kinds, ["played", "started", "given", "played"]);
});

it("a server that was there is used by one at a time, and left as it was", async () => {
  const there = await startCluster();
  const kept = process.env.MOESTRO_TEST_KUBECONFIG;
  process.env.MOESTRO_TEST_KUBECONFIG = there.kubeconfig;
  try {
    const [namespace, other] = [ownName("one"), ownName("two")];
    const first = await openCluster({ namespaces: [namespace] });
    assert.equal(first.config.getContextObject("moestro-test")?.namespace, namespace);
    const waiting = openCluster({ namespaces: [other] });
    await first.define(TOYS);
    const toys = `/apis/example.com/v1/namespaces/${namespace}/toys`;
    assert.equal((await first.request("POST", toys, toy("a", { color: "red" }))).code, 201);
    await assert.rejects(first.define(TOYS), /toys\.example\.com: is there already; use a cluster/);
    assert.equal((await first.request("GET", `/api/v1/namespaces/${other}`)).code, 404);
    assert.throws(() => first.played, /skip the test by whyNotReal/);
    await first.close();
    const second = await waiting;
    assert.equal((await second.request("GET", `/api/v1/namespaces/${namespace}`)).code, 404);
    const { body } = await second.request("GET", DEFINITIONS);
    assert.deepEqual(at(body, "items"), []);
    await second.close();
  } finally {
    if (kept === undefined) delete process.env.MOESTRO_TEST_KUBECONFIG;
    else process.env.MOESTRO_TEST_KUBECONFIG = kept;
    await there.close();
  }
});
