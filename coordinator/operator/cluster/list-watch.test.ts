import assert from "node:assert/strict";
import { afterEach, beforeEach, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { KubeConfig } from "@kubernetes/client-node";
import { until } from "../../../test/faults/patience.ts";
import { startCluster, type TestCluster } from "../../../test/kubernetes/start.ts";
import { ListWatch, WATCH_OPTIONS, type WatchedKind, type WatchOptions } from "./list-watch.ts";

const MAPS = "/api/v1/namespaces/default/configmaps";
const KIND: WatchedKind = {
  ...{ apiVersion: "v1", kind: "ConfigMap", plural: "configmaps", namespace: "default" },
  // Every namespace has one by itself.
  trim: (object) => (object.metadata.name === "kube-root-ca.crt" ? undefined : object),
};
const OPTIONS: WatchOptions = { ...WATCH_OPTIONS, firstMs: 10, mostMs: 50, random: () => 0 };

let kube: TestCluster;
const config = new KubeConfig();
let failures: unknown[] = [];
let watch: ListWatch;
let running: Promise<void>;
let closeWatch: () => Promise<void> = async () => {};

beforeEach(async () => {
  kube = await startCluster({ bookmarkMs: 20 });
  config.loadFromFile(kube.kubeconfig);
});
afterEach(async () => {
  await closeWatch();
  await kube.close();
});

function start(options: Partial<WatchOptions> = {}): void {
  failures = [];
  const listener = {
    changed: () => {},
    listed: () => {},
    failed: (error: unknown) => failures.push(error),
  };
  watch = new ListWatch(config, KIND, listener, { ...OPTIONS, ...options });
  running = watch.run();
  closeWatch = async () => {
    watch.close();
    await running;
  };
}

const make = (name: string) =>
  kube.request("POST", MAPS, { apiVersion: "v1", kind: "ConfigMap", metadata: { name } });
const names = () =>
  watch.objects
    .values()
    .map(({ metadata }) => metadata.name)
    .sort();
const untilNames = (wanted: string) =>
  until(`objects ${wanted}`, () => names().join(" ") === wanted || undefined);
const numWatches = () => kube.faults.numRequests.get("watch configmaps") ?? 0;
const numLists = () => kube.faults.numRequests.get("list configmaps") ?? 0;

it("knows what is there, what comes and what goes, from one list", async () => {
  await make("a");
  start();
  await untilNames("a");
  assert.equal(watch.objects.values()[0]?.kind, "ConfigMap");
  await make("b");
  await untilNames("a b");
  await kube.request("DELETE", `${MAPS}/a`);
  await untilNames("b");
  assert.deepEqual([numLists(), failures], [1, []]);
});

it("goes on where it was when the server ends the watch", async () => {
  start();
  await until("a list", () => watch.isComplete || undefined);
  await until("a watch", () => kube.faults.dropWatches("configmaps") > 0 || undefined);
  await make("a");
  await untilNames("a");
  assert.equal(numLists(), 1);
});

it("lists again what it is too late for, and forgets what went meanwhile", async () => {
  await make("a");
  start();
  await untilNames("a");
  kube.faults.goAway(100);
  await kube.request("DELETE", `${MAPS}/a`).catch(() => {});
  await sleep(150);
  await kube.request("DELETE", `${MAPS}/a`);
  await make("b");
  kube.cluster.storage.compact();
  await untilNames("b");
});

it("notices a watch that is open and silent, and what it kept to itself", async () => {
  start({ silentMs: 30, relistMs: 400 });
  await until("a list", () => watch.isComplete || undefined);
  kube.faults.areWatchesSilent = true;
  await make("a");
  const before = numWatches();
  await until("new watches", () => numWatches() >= before + 2 || undefined);
  kube.faults.areWatchesSilent = false;
  await untilNames("a");
  assert.deepEqual(failures, []);
});

it("lists everything again from time to time", async () => {
  start({ relistMs: 30 });
  await until("three lists", () => numLists() >= 3 || undefined);
});
