import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { ApiException, KubeConfig } from "@kubernetes/client-node";
import { startCluster, type TestCluster } from "../../test/kubernetes/start.ts";
import { collectionPath, requestApi, sendRequest } from "./api-request.ts";

let kube: TestCluster;
const config = new KubeConfig();
before(async () => {
  kube = await startCluster();
  config.loadFromFile(kube.kubeconfig);
});
after(() => kube.close());

it("fields arrive as they were said, also those that the client would rename", async () => {
  const path = collectionPath("networking.k8s.io/v1", "networkpolicies", "default");
  const ingress = [{ from: [{ podSelector: { matchLabels: { a: "b" } } }] }];
  const body = {
    ...{ apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: { name: "a" } },
    spec: { podSelector: {}, policyTypes: ["Ingress"], ingress },
  };
  await requestApi(config, { method: "POST", path, body });
  const found = await requestApi(config, { method: "GET", path: `${path}/a` });
  assert.deepEqual((found as typeof body).spec, body.spec);
});

it("what is refused is thrown with its code, or given back", async () => {
  const request = { method: "GET", path: "/api/v1/namespaces/none" } as const;
  const isNotFound = (error: unknown) => error instanceof ApiException && error.code === 404;
  await assert.rejects(requestApi(config, request), isNotFound);
  assert.equal((await sendRequest(config, request)).code, 404);
});

it("an API server that does not answer is given up", async () => {
  kube.faults.delay({ resource: "namespaces" }, 500);
  const request = { method: "GET", path: "/api/v1/namespaces", timeoutMs: 50 } as const;
  await assert.rejects(requestApi(config, request), { name: "TimeoutError" });
  kube.faults.recover();
});
