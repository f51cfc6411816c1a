import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { KubeConfig } from "@kubernetes/client-node";
import { startCluster, type TestCluster } from "../../../test/kubernetes/start.ts";
import { jobWith } from "../reconcile/job-fixture.ts";
import { EventRecorder } from "./event-recorder.ts";

const EVENTS = "/api/v1/namespaces/research/events";

let kube: TestCluster;
let nowMs = Date.parse("2026-01-01T00:00:00Z");
let recorder: EventRecorder;
before(async () => {
  kube = await startCluster({ namespaces: ["research"] });
  const config = new KubeConfig();
  config.loadFromFile(kube.kubeconfig);
  recorder = new EventRecorder(config, () => nowMs);
});
after(() => kube.close());

interface Told {
  metadata: { name: string };
  reason: string;
  message: string;
  count: number;
  involvedObject: { kind: string; name: string; uid: string };
}

async function told(reason: string): Promise<Told[]> {
  await recorder.idle();
  const { body } = await kube.request("GET", EVENTS);
  return (body as unknown as { items: Told[] }).items.filter((one) => one.reason === reason);
}

const record = (reason: string, message = "all ranks stand") =>
  recorder.record(jobWith(), { type: "Normal", reason, message });

it("an Event is about the job, and the same again within a minute is no write", async () => {
  record("Running");
  const [event] = await told("Running");
  assert.deepEqual([event?.message, event?.count], ["all ranks stand", 1]);
  const { kind, name, uid } = event?.involvedObject ?? assert.fail();
  assert.deepEqual([kind, name, uid], ["MoETrainingJob", "tiny", "0f9c"]);
  const numWrites = kube.faults.numRequests.get("create events");
  for (let times = 0; times < 10; times += 1) record("Running");
  await told("Running");
  assert.equal(kube.faults.numRequests.get("create events"), numWrites);
  nowMs += 60_000;
  record("Running");
  const later = await told("Running");
  assert.deepEqual(
    later.map(({ count }) => count),
    [12],
  );
});

it("an Event that has expired is written anew", async () => {
  record("Suspended");
  const [event] = await told("Suspended");
  await kube.request("DELETE", `${EVENTS}/${event?.metadata.name}`);
  nowMs += 3_600_000;
  record("Suspended");
  assert.equal((await told("Suspended")).length, 1);
});

it("what cannot be written is dropped, and what comes later is written", async () => {
  kube.faults.fail({ resource: "events" }, { code: 500, times: 2 });
  record("Dropped");
  record("AlsoDropped");
  assert.deepEqual(await told("Dropped"), []);
  for (let index = 0; index < 1000; index += 1) record("Many", `number ${index}`);
  assert.ok((await told("Many")).length <= 257);
  record("Written");
  assert.equal((await told("Written")).length, 1);
});
