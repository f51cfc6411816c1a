import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { KubeConfig } from "@kubernetes/client-node";
import { until } from "../../test/faults/patience.ts";
import { startCluster, type TestCluster } from "../../test/kubernetes/start.ts";
import { PodWatch } from "./pod-watch.ts";

const PODS = "/api/v1/namespaces/default/pods";
let kube: TestCluster;
let pods: PodWatch;
let running: Promise<void>;
before(async () => {
  kube = await startCluster({ bookmarkMs: 50 });
  await make("early");
  const config = new KubeConfig();
  config.loadFromFile(kube.kubeconfig);
  pods = new PodWatch(config, "default", (why) => assert.fail(why));
  running = pods.run();
});
after(async () => {
  pods.close();
  await running;
  await kube.close();
});

const make = (name: string, component = "agent") =>
  kube.request("POST", PODS, {
    metadata: { name, labels: { "app.kubernetes.io/component": component } },
    spec: { containers: [{ name: "agent", image: "none" }] },
  });
const missed = (agentId: string, wasHere = true, silentMs = 3000) =>
  pods.whyGone({ agentId, wasHere, silentMs });

it("before anything is known, nobody is gone", () => {
  assert.equal(missed("nobody", false), undefined);
});

it("a pod that was there and is deleted is gone, and one that ended too", async () => {
  await make("late");
  await until("the list", () => missed("nobody", false));
  assert.equal(missed("early"), undefined);
  await until("it is seen", () => missed("late") === undefined || undefined);
  await kube.request("DELETE", `${PODS}/late?gracePeriodSeconds=0`);
  assert.equal(await until("it is gone", () => missed("late")), "its pod is gone");
  const status = { status: { phase: "Failed" } };
  const merge = { headers: { "content-type": "application/merge-patch+json" } };
  await kube.request("PATCH", `${PODS}/early/status`, status, merge);
  assert.equal(await until("it has ended", () => missed("early")), "its pod has ended");
});

it("one that was never seen is gone only if everything was listed since it was heard of", () => {
  assert.equal(missed("unseen", true, 0), undefined);
  assert.equal(missed("unseen", true, 60_000), "its pod is gone");
  assert.equal(missed("unseen", false, 0), "its pod is gone");
});
