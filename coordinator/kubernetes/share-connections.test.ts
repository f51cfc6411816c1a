import assert from "node:assert/strict";
import { it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { HttpMethod, KubeConfig, RequestContext } from "@kubernetes/client-node";
import { createAuthority } from "../rpc/certificates.ts";
import { shareConnections } from "./share-connections.ts";

it("requests share connections until certificates are to be read anew", async () => {
  const config = new KubeConfig();
  const caData = Buffer.from((await createAuthority(new Date())).certificate).toString("base64");
  config.loadFromOptions({
    clusters: [{ name: "a", server: "https://127.0.0.1:1", caData, skipTLSVerify: false }],
    users: [{ name: "a", token: "t" }],
    contexts: [{ name: "a", cluster: "a", user: "a" }],
    currentContext: "a",
  });
  shareConnections(config, 50);
  const connections = async () => {
    const context = new RequestContext("https://127.0.0.1:1/api", HttpMethod.GET);
    await config.applySecurityAuthentication(context);
    assert.equal(context.getHeaders().Authorization, "Bearer t");
    return context.getDispatcher();
  };
  const first = await connections();
  assert.ok(first !== undefined);
  assert.equal(await connections(), first);
  await sleep(60);
  assert.notEqual(await connections(), first);
});
