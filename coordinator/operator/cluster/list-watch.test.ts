import assert from "node:assert/strict";
import { afterEach, beforeEach, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../../../test/faults/patience.ts";
import type { ApiServer } from "../../../test/kubernetes/api-server.ts";
import { openCluster, ownName } from "../../../test/kubernetes/open-cluster.ts";
import { whyNotReal } from "../../../test/kubernetes/which-server.ts";
import type { ObservedObject } from "../reconcile/observation.ts";
import { ListWatch, WATCH_OPTIONS, type WatchOptions } from "./list-watch.ts";

// Every namespace has one by itself.
const trim = (object: ObservedObject) =>
  object.metadata.name === "kube-root-ca.crt" ? undefined : object;
const OPTIONS: WatchOptions = { ...WATCH_OPTIONS, firstMs: 10, mostMs: 50, random: () => 0 };

let kube: ApiServer;
let namespace: string;
let maps: string;
let failures: unknown[] = [];
let watch: ListWatch;
let running: Promise<void>;
let closeWatch: () => Promise<void> = async () => {};

beforeEach(async () => {
  namespace = ownName("watch");
  maps = `/api/v1/namespaces/${namespace}/configmaps`;
  kube = await openCluster({ bookmarkMs: 20, namespaces: [namespace] });
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
  const kind = { apiVersion: "v1", kind: "ConfigMap", plural: "configmaps", namespace, trim };
  watch = new ListWatch(kube.config, kind, listener, { ...OPTIONS, ...options });
  running = watch.run();
  closeWatch = async () => {
    watch.close();
    await running;
  };
}

const make = (name: string) =>
  kube.request("POST", maps, { apiVersion: "v1", kind: "ConfigMap", metadata: { name } });
const names = () =>
  watch.objects
    .values()
    .map(({ metadata }) => metadata.name)
    .sort();
const untilNames = (wanted: string) =>
  until(`objects ${wanted}`, () => names().join(" ") === wanted || undefined);
const numWatches = () => kube.played.faults.numRequests.get("watch configmaps") ?? 0;
const numLists = () => kube.played.faults.numRequests.get("list configmaps") ?? 0;

it("knows what is there, what comes and what goes", async () => {
  await make("a");
  start();
  await untilNames("a");
  assert.equal(watch.objects.values()[0]?.kind, "ConfigMap");
  await make("b");
  await untilNames("a b");
  await kube.request("DELETE", `${maps}/a`);
  await untilNames("b");
  assert.deepEqual(failures, []);
});

it("goes on where it was when the server ends the watch", {
  skip: whyNotReal("drops watches"),
}, async () => {
  start();
  await until("a list", () => watch.isComplete || undefined);
  await until("a watch", () => kube.played.faults.dropWatches("configmaps") > 0 || undefined);
  await make("a");
  await untilNames("a");
  assert.equal(numLists(), 1);
});

it("lists again what it is too late for, and forgets what went meanwhile", {
  skip: whyNotReal("compacts its storage"),
}, async () => {
  await make("a");
  start();
  await untilNames("a");
  kube.played.faults.goAway(100);
  await kube.request("DELETE", `${maps}/a`).catch(() => {});
  await sleep(150);
  await kube.request("DELETE", `${maps}/a`);
  await make("b");
  kube.played.cluster.storage.compact();
  await untilNames("b");
});

it("notices a watch that is open and silent, and what it kept to itself", {
  skip: whyNotReal("makes watches silent"),
}, async () => {
  start({ silentMs: 30, relistMs: 400 });
  await until("a list", () => watch.isComplete || undefined);
  kube.played.faults.areWatchesSilent = true;
  await make("a");
  const before = numWatches();
  await until("new watches", () => numWatches() >= before + 2 || undefined);
  kube.played.faults.areWatchesSilent = false;
  await untilNames("a");
  assert.deepEqual(failures, []);
});

it("lists everything again from time to time", {
  skip: whyNotReal("counts requests"),
}, async () => {
  start({ relistMs: 30 });
  await until("three lists", () => numLists() >= 3 || undefined);
});

it("a watch of what is quiet goes on from where the server is, without a list", {
  skip: whyNotReal("compacts its storage"),
}, async () => {
  await kube.close();
  // No bookmarks but the one with which a watch ends.
  kube = await openCluster({ bookmarkMs: 60_000, namespaces: [namespace] });
  start({ silentMs: 4500 });
  await until("a watch", () => numWatches() === 1 || undefined);
  const other = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "other" } };
  await kube.request("POST", `/api/v1/namespaces/${namespace}/serviceaccounts`, other);
  await until("the next watch", () => numWatches() === 2 || undefined);
  kube.played.cluster.storage.compact();
  await until("the one after", () => numWatches() === 3 || undefined);
  await make("a");
  await untilNames("a");
  assert.equal(numLists(), 1);
});

it("a list that breaks off is no place to watch from", {
  skip: whyNotReal("makes requests fail"),
}, async () => {
  const { faults, cluster } = kube.played;
  start();
  await until("a watch", () => numWatches() === 1 || undefined);
  // More than a page, while nothing is heard and what was missed is forgotten.
  faults.areWatchesSilent = true;
  await Promise.all(Array.from({ length: 501 }, (_, index) => make(`m${index}`)));
  cluster.storage.compact();
  faults.areWatchesSilent = false;
  faults.fail({ verb: "list", resource: "configmaps" }, { code: 503, after: 1 });
  faults.dropWatches("configmaps");
  await until("all", () => names().length === 501 || undefined);
  assert.equal(numLists(), 1 + 2 + 2);
});
