import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { until } from "../faults/patience.ts";
import type { ApiServer } from "./api-server.ts";
import { TOYS, toy } from "./fixture.ts";
import { at, type Json, type JsonObject, type KubeObject } from "./json.ts";
import { openCluster, ownName } from "./open-cluster.ts";
import { openWatch } from "./watch-client.ts";
import { whyNoControllers, whyNotReal } from "./which-server.ts";

const NAMESPACE = ownName("api");
const CORE = `/api/v1/namespaces/${NAMESPACE}`;
const MAPS = `${CORE}/configmaps`;
const TOYS_PATH = `/apis/example.com/v1/namespaces/${NAMESPACE}/toys`;
let kube: ApiServer;
before(async () => {
  kube = await openCluster({ bookmarkMs: 50, namespaces: [NAMESPACE] });
  await kube.define(TOYS);
});
after(() => kube.close());

function map(name: string, more: JsonObject = {}): JsonObject {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, ...more } };
}

async function make(name: string, owner?: JsonObject, blocks = false): Promise<JsonObject> {
  const { uid = "" } = (owner?.metadata ?? {}) as { uid?: string };
  const reference = { apiVersion: "v1", kind: "ConfigMap", name: "owner", uid };
  const owners = owner ? [{ ...reference, blockOwnerDeletion: blocks }] : [];
  const { body } = await kube.request("POST", MAPS, map(name, { ownerReferences: owners }));
  return body as JsonObject;
}

async function isThere(name: string): Promise<boolean> {
  return (await kube.request("GET", `${MAPS}/${name}`)).code === 200;
}

test("an update of what has changed since is a conflict, one without a version is not", async () => {
  const first = await make("conflict");
  const changed = { ...first, data: { a: "1" } };
  assert.equal((await kube.request("PUT", `${MAPS}/conflict`, changed)).code, 200);
  const { code, body } = await kube.request("PUT", `${MAPS}/conflict`, first);
  assert.equal(code, 409);
  assert.match(String(at(body, "message")), /the object has been modified/);
  assert.equal((await kube.request("PUT", `${MAPS}/conflict`, map("conflict"))).code, 200);
});

test("the generation counts changes of the spec, and a write that changes nothing is none", async () => {
  const { body: made } = await kube.request("POST", TOYS_PATH, toy("g", { color: "red" }));
  const status = { ...(made as JsonObject), status: { nodes: 1 } };
  const { body: told } = await kube.request("PUT", `${TOYS_PATH}/g/status`, status);
  assert.deepEqual([at(told, "status", "nodes"), at(told, "metadata", "generation")], [1, 1]);
  const { body: same } = await kube.request("PUT", `${TOYS_PATH}/g`, told);
  assert.deepEqual(
    at(same, "metadata", "resourceVersion"),
    at(told, "metadata", "resourceVersion"),
  );
  const merge = { headers: { "content-type": "application/merge-patch+json" } };
  const patch = { spec: { nodes: { max: 2 } }, status: { nodes: 9 } };
  const { body: patched } = await kube.request("PATCH", `${TOYS_PATH}/g`, patch, merge);
  assert.deepEqual([at(patched, "status", "nodes"), at(patched, "metadata", "generation")], [1, 2]);
});

test("the status is applied through its subresource, each manager its conditions", async () => {
  await kube.request("POST", TOYS_PATH, toy("s", { color: "red" }));
  const apply = async (manager: string, status: JsonObject): Promise<Json> => {
    const headers = { "content-type": "application/apply-patch+yaml" };
    const object = { ...toy("s", { color: "blue" }), status };
    const path = `${TOYS_PATH}/s/status?fieldManager=${manager}`;
    const { code, body } = await kube.request("PATCH", path, object, { headers });
    assert.equal(code, 200, JSON.stringify(body));
    return body;
  };
  await apply("one", { nodes: 1, conditions: [{ type: "A", status: "True" }] });
  await apply("two", { conditions: [{ type: "B", status: "True" }] });
  const body = await apply("one", { nodes: 2 });
  assert.deepEqual(at(body, "status"), {
    nodes: 2,
    conditions: [{ type: "B", status: "True" }],
  });
  assert.equal(at(body, "spec", "color"), "red");
});

const isBookmark = ({ type }: { type: string }) => type === "BOOKMARK";

test("a watch goes on where a list ended, and tells what enters and leaves its selection", async () => {
  const { body } = await kube.request("GET", MAPS);
  const version = at(body, "metadata", "resourceVersion");
  await kube.request("POST", MAPS, map("w", { labels: { on: "yes" } }));
  const query = `?watch=1&allowWatchBookmarks=true&labelSelector=on%3Dyes&resourceVersion=${String(version)}`;
  const watch = openWatch(kube, `${MAPS}${query}`);
  const merge = { headers: { "content-type": "application/merge-patch+json" } };
  await kube.request("PATCH", `${MAPS}/w`, { metadata: { labels: { on: "no" } } }, merge);
  await kube.request("PATCH", `${MAPS}/w`, { metadata: { labels: { on: "yes" } } }, merge);
  const told = () => watch.events.filter((one) => !isBookmark(one));
  await until("three changes", () => told().length >= 3);
  assert.deepEqual(
    told().map(({ type, object }) => [type, object.metadata.name]),
    [
      ["ADDED", "w"],
      ["DELETED", "w"],
      ["ADDED", "w"],
    ],
  );
  watch.close();
});

test("a watch gets bookmarks", { skip: whyNotReal("makes them come often") }, async () => {
  const watch = openWatch(kube, `${MAPS}?watch=1&allowWatchBookmarks=true`);
  await until("a bookmark", () => watch.events.some(isBookmark));
  watch.close();
});

test("a watch from before a compaction is told that it is too old", {
  skip: whyNotReal("compacts its storage"),
}, async () => {
  kube.played.cluster.storage.compact();
  const watch = openWatch(kube, `${MAPS}?watch=1&resourceVersion=1`);
  await until("the end", () => watch.isOver);
  assert.deepEqual(
    watch.events.map(({ type, object }) => [type, object.code, object.reason]),
    [["ERROR", 410, "Expired"]],
  );
});

test("a test drops watches, makes them silent, fails requests, and counts them", {
  skip: whyNotReal("makes requests fail"),
}, async () => {
  const { faults } = kube.played;
  const watch = openWatch(kube, `${MAPS}?watch=1`);
  await until("the watch", () => watch.events.length > 0);
  faults.areWatchesSilent = true;
  const before = watch.events.length;
  await make("silent");
  await kube.request("GET", MAPS);
  assert.equal(watch.events.length, before);
  assert.equal(faults.dropWatches("configmaps"), 1);
  await until("the end", () => watch.isOver);
  faults.fail({ verb: "list" }, { code: 503, retryAfterSeconds: 1, times: 1 });
  const failed = await kube.request("GET", MAPS);
  assert.deepEqual([failed.code, failed.headers["retry-after"]], [503, "1"]);
  faults.recover();
  faults.resetCounts();
  await kube.request("GET", MAPS);
  assert.deepEqual([...faults.numRequests], [["list configmaps", 1]]);
  faults.goAway(60_000);
  await assert.rejects(kube.request("GET", MAPS));
  faults.recover();
  assert.equal((await kube.request("GET", MAPS)).code, 200);
});

test("pages of a list are cut by limit and go on by continue", async () => {
  const names: string[] = [];
  let token = "";
  do {
    const { body } = await kube.request("GET", `${MAPS}?limit=2&continue=${token}`);
    const { items, metadata } = body as { items: KubeObject[]; metadata: { continue?: string } };
    names.push(...items.map((item) => item.metadata.name));
    token = metadata.continue ?? "";
  } while (token !== "");
  const { body } = await kube.request("GET", MAPS);
  const all = (body as { items: KubeObject[] }).items.map(({ metadata }) => metadata.name);
  assert.deepEqual(names, all);
});

test("what an owner leaves behind is collected, orphaned, or goes first", {
  skip: whyNoControllers("garbage that is collected"),
}, async () => {
  const owner = await make("owner");
  await make("child", owner);
  await kube.request("DELETE", `${MAPS}/owner`);
  await until("collection", async () => !(await isThere("child")));
  const second = await make("owner");
  await make("orphan", second);
  await kube.request("DELETE", `${MAPS}/owner?propagationPolicy=Orphan`);
  await until("orphaning", async () => !(await isThere("owner")));
  assert.ok(await isThere("orphan"));
  const third = await make("owner");
  const child = await make("first", third, true);
  const held = { ...child, metadata: { ...(child.metadata as JsonObject), finalizers: ["a.b/c"] } };
  await kube.request("PUT", `${MAPS}/first`, held);
  await kube.request("DELETE", `${MAPS}/owner?propagationPolicy=Foreground`);
  await until("marking", async () => {
    const { body } = await kube.request("GET", `${MAPS}/first`);
    return at(body, "metadata", "deletionTimestamp");
  });
  assert.ok(await isThere("owner"));
  const merge = { headers: { "content-type": "application/merge-patch+json" } };
  await kube.request("PATCH", `${MAPS}/first`, { metadata: { finalizers: null } }, merge);
  await until("the end", async () => !(await isThere("owner")));
});

test("a token is good for its audience, its pod and its account's roles", async () => {
  const pod: Json = {
    ...{ apiVersion: "v1", kind: "Pod", metadata: { name: "p" } },
    // No node is called so: it never runs.
    spec: {
      ...{ serviceAccountName: "agent", nodeSelector: { none: "such" } },
      containers: [{ name: "c", image: "i" }],
    },
  };
  const account = { namespace: NAMESPACE, serviceAccount: "agent" };
  await kube.request("POST", `${CORE}/serviceaccounts`, { metadata: { name: "agent" } });
  const { body } = await kube.request("POST", `${CORE}/pods`, pod);
  const uid = String(at(body, "metadata", "uid"));
  const bound = { ...account, pod: { name: "p", uid } };
  const token = await kube.tokenFor({ ...bound, audiences: ["moestro"] });
  const review = async (audience: string): Promise<Json | undefined> => {
    const head = { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview" };
    const object = { ...head, metadata: { name: "" }, spec: { token, audiences: [audience] } };
    const path = "/apis/authentication.k8s.io/v1/tokenreviews";
    return at((await kube.request("POST", path, object)).body, "status");
  };
  const good = await review("moestro");
  assert.equal(at(good, "user", "username"), `system:serviceaccount:${NAMESPACE}:agent`);
  assert.deepEqual(at(good, "user", "extra", "authentication.kubernetes.io/pod-uid"), [uid]);
  assert.equal(at(await review("other"), "authenticated"), false);
  await kube.request("DELETE", `${CORE}/pods/p?gracePeriodSeconds=0`);
  // API servers remember for seconds what they took for good.
  await until(
    "a token without a pod",
    async () => at(await review("moestro"), "authenticated") !== true,
  );
  const own = { token: await kube.tokenFor(account) };
  const refused = await kube.request("GET", MAPS, undefined, own);
  assert.equal(refused.code, 403);
  assert.equal(
    at(refused.body, "message"),
    `configmaps is forbidden: User "system:serviceaccount:${NAMESPACE}:agent" cannot list resource "configmaps" in API group "" in the namespace "${NAMESPACE}"`,
  );
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${NAMESPACE}`;
  const rules = [{ apiGroups: [""], resources: ["configmaps"], verbs: ["list"] }];
  await kube.request("POST", `${rbac}/roles`, { metadata: { name: "r" }, rules });
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "r" };
  const subjects = [{ kind: "ServiceAccount", name: "agent", namespace: NAMESPACE }];
  await kube.request("POST", `${rbac}/rolebindings`, {
    metadata: { name: "b" },
    roleRef,
    subjects,
  });
  // Roles are read from a watch.
  const list = async () => (await kube.request("GET", MAPS, undefined, own)).code === 200;
  await until("the right", list);
});

test("a quota refuses what goes over it", {
  skip: whyNoControllers("a quota whose use is counted"),
}, async () => {
  const quota = { metadata: { name: "q" }, spec: { hard: { "count/jobs.batch": "0" } } };
  await kube.request("POST", `${CORE}/resourcequotas`, quota);
  const containers = [{ name: "c", image: "i" }];
  const template = { spec: { restartPolicy: "Never", containers } };
  const job = { metadata: { name: "j" }, spec: { template } };
  const jobs = `/apis/batch/v1/namespaces/${NAMESPACE}/jobs?dryRun=All`;
  const refusal = await until("a refusal", async () => {
    const { code, body } = await kube.request("POST", jobs, job);
    return code === 403 && String(at(body, "message"));
  });
  assert.match(refusal, /exceeded quota: q, requested: count\/jobs.batch=1/);
});

test("a webhook changes what is written", {
  skip: whyNotReal("takes functions for webhooks"),
}, async () => {
  kube.played.cluster.webhooks.push((object, operation) => {
    if (object.kind === "Toy" && operation === "CREATE") object.metadata.labels = { seen: "yes" };
  });
  const { body } = await kube.request("POST", TOYS_PATH, toy("hooked", { color: "blue" }));
  assert.equal(at(body, "metadata", "labels", "seen"), "yes");
});
