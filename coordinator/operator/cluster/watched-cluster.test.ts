import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, it } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { until } from "../../../test/faults/patience.ts";
import type { ApiServer } from "../../../test/kubernetes/api-server.ts";
import type { JsonObject } from "../../../test/kubernetes/json.ts";
import { openCluster, ownName } from "../../../test/kubernetes/open-cluster.ts";
import { whyNoControllers, whyNotReal } from "../../../test/kubernetes/which-server.ts";
import { collectionPath } from "../../kubernetes/api-request.ts";
import { JOB_LABEL } from "../../kubernetes/children/identity.ts";
import { API_VERSION, KIND, PLURAL } from "../../kubernetes/names.ts";
import { jobWith } from "../reconcile/job-fixture.ts";
import { JOB_SETS } from "../reconcile/job-set-fixture.ts";
import { whyNoJobSets } from "./job-sets-served.ts";
import { WATCH_OPTIONS } from "./list-watch.ts";
import { WatchedCluster } from "./watched-cluster.ts";
import { whyOf } from "./why-of.ts";

const NAMESPACE = ownName("watched");
const FAST = { ...WATCH_OPTIONS, firstMs: 5, mostMs: 50, random: () => 0 };

let kube: ApiServer;
let cluster: WatchedCluster;
let running: Promise<void>;
let failures: unknown[];
beforeEach(async () => {
  kube = await openCluster({ namespaces: [NAMESPACE] });
  const crd = readFileSync(fileURLToPath(new URL("../../../k8s/base/crd.yaml", import.meta.url)));
  await kube.define(parse(String(crd)));
  running = Promise.resolve();
});
afterEach(async () => {
  cluster?.close();
  await running;
  await kube.close();
});

async function start(): Promise<void> {
  failures = [];
  const told = { changed: () => {}, failed: (error: unknown) => failures.push(error) };
  const options = { ...FAST, whyNoJobSets: await whyNoJobSets(kube.config) };
  cluster = new WatchedCluster(kube.config, NAMESPACE, told, options);
  running = cluster.run();
  await until("that all is seen", () => cluster.isComplete || undefined);
}

interface Made {
  metadata: { uid: string };
}

async function make(place: [string, string, string], own: JsonObject): Promise<string> {
  const [apiVersion, kind, plural] = place;
  const path = collectionPath(apiVersion, plural, NAMESPACE);
  const { code, body } = await kube.request("POST", path, { apiVersion, kind, ...own });
  assert.equal(code, 201, JSON.stringify(body));
  return (body as unknown as Made).metadata.uid;
}

const JOB: [string, string, string] = ["batch/v1", "Job", "jobs"];
const JOB_SET: [string, string, string] = ["jobset.x-k8s.io/v1alpha2", "JobSet", "jobsets"];
const labels = { [JOB_LABEL]: "mine" };
const container = { name: "agent", image: "none" };
const pods = { spec: { containers: [container], restartPolicy: "Never" } };

const controlledBy = (place: [string, string, string], name: string, uid: string) => [
  { apiVersion: place[0], kind: place[1], name, uid, controller: true },
];
const makePod = (name: string, own: JsonObject) =>
  make(["v1", "Pod", "pods"], { metadata: { name, ...own }, ...pods });
const makeOwner = () =>
  make([API_VERSION, KIND, PLURAL], {
    metadata: { name: "mine" },
    spec: jobWith().spec as JsonObject,
  });

function podsOfMine(): string[] {
  const job = cluster.job("mine");
  return job === undefined ? [] : cluster.pods(job).map(({ metadata }) => metadata.name);
}

it("pods are of a job whose Job made them, whatever labels others have", {
  skip: whyNoControllers("pods of a Job"),
}, async () => {
  const uid = await makeOwner();
  const ownerReferences = controlledBy([API_VERSION, KIND, PLURAL], "mine", uid);
  const spec = { template: { metadata: { labels }, ...pods } };
  await make(JOB, { metadata: { name: "mine-agents", labels, ownerReferences }, spec });
  await make(JOB, { metadata: { name: "anybodys", labels }, spec });
  await makePod("nobodys", { labels });
  await start();
  const [pod] = await until("its pod", () => {
    const found = podsOfMine();
    return found.length > 0 ? found : undefined;
  });
  assert.match(pod ?? "", /^mine-agents-/);
  assert.equal(podsOfMine().length, 1);
});

it("pods of a JobSet are known by its uid, which it puts on them", async () => {
  await kube.define(JOB_SETS);
  const uid = await makeOwner();
  const ownerReferences = controlledBy([API_VERSION, KIND, PLURAL], "mine", uid);
  const setUid = await make(JOB_SET, { metadata: { name: "mine", labels, ownerReferences } });
  const key = "jobset.sigs.k8s.io/jobset-uid";
  await makePod("ours", { labels: { ...labels, [key]: setUid } });
  await makePod("earlier", { labels: { ...labels, [key]: "another" } });
  await makePod("anybodys", { labels });
  await start();
  assert.deepEqual(podsOfMine(), ["ours"]);
});

it("JobSets of another version are none, and told with the versions that there are", async () => {
  const spec = JOB_SETS.spec as { versions: JsonObject[] };
  const versions = spec.versions.map((version) => ({ ...version, name: "v1beta1" }));
  await kube.define({ ...JOB_SETS, spec: { ...JOB_SETS.spec, versions } });
  await start();
  assert.match(cluster.whyNoJobSets ?? "", /has JobSets of v1beta1, not v1alpha2; install/);
});

it("no right to JobSets is told once, and all else goes on", {
  skip: whyNotReal("makes requests fail"),
}, async () => {
  await kube.define(JOB_SETS);
  const requests = { verb: "list", resource: "jobsets.jobset.x-k8s.io" };
  kube.played.faults.fail(requests, { code: 403, message: "forbidden", times: 1000 });
  kube.played.faults.resetCounts();
  await start();
  assert.match(cluster.whyNoJobSets ?? "", /JobSets cannot be watched: forbidden; apply/);
  assert.deepEqual(failures.map(whyOf), ["forbidden"]);
  assert.equal(kube.played.faults.totalRequests(requests), 1);
});
