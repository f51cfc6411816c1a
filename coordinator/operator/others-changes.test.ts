import assert from "node:assert/strict";
import { after, afterEach, before, it } from "node:test";
import { until } from "../../test/faults/patience.ts";
import type { Webhook } from "../../test/kubernetes/cluster.ts";
import { at, isObject, type Json, type JsonObject } from "../../test/kubernetes/json.ts";
import { AGENTS, startOperator, type TestOperator } from "./played-operator-fixture.ts";

let operator: TestOperator;
before(async () => {
  operator = await startOperator();
});
afterEach(() => {
  operator.kube.cluster.webhooks.length = 0;
});
after(() => operator.close());

const JOBS = "/apis/moestro.dev/v1alpha1/namespaces/default/moetrainingjobs";
const OWN = { key: "own", operator: "Exists" };
const THEIRS = { key: "theirs", operator: "Exists" };

function podSpec(job: unknown): JsonObject {
  const found = at(job as Json, "spec", "template", "spec");
  return isObject(found) ? found : {};
}

/** Sends pods to nodes of its own, as admission webhooks of installations do. */
const place: Webhook = (object, operation) => {
  if (object.kind !== "Job" || operation !== "CREATE") return;
  const spec = podSpec(object);
  const tolerations = Array.isArray(spec.tolerations) ? spec.tolerations : [];
  spec.nodeSelector = { ...(spec.nodeSelector as JsonObject), pool: "gpu" };
  spec.tolerations = [...tolerations, THEIRS];
};

const hold: Webhook = (object, operation) => {
  if (object.kind === "Job" && operation === "CREATE")
    Object.assign(object.spec ?? {}, { suspend: true });
};

const numApplies = () =>
  operator.kube.faults.totalRequests({ verb: "patch", resource: "jobs.batch" });

/** What was added is there, and nothing is written about it. */
async function assertKept(name: string): Promise<void> {
  await operator.untilQuiet(name);
  const before = numApplies();
  await operator.untilQuiet(name);
  assert.equal(numApplies(), before);
  const { nodeSelector, tolerations } = podSpec(operator.agents(name));
  assert.deepEqual(nodeSelector, { own: "yes", pool: "gpu" });
  assert.deepEqual(tolerations, [OWN, THEIRS]);
}

const template = { spec: { nodeSelector: { own: "yes" }, tolerations: [OWN] } };

it("what a webhook adds to the pods stays, also after changes, suspension and restart", async () => {
  operator.kube.cluster.webhooks.push(place);
  await operator.apply("placed", { template });
  await operator.untilCondition("placed", "Admitted", "True");
  operator.runs.move("placed", { state: "running", numRanks: 4 });
  await assertKept("placed");
  await operator.edit("placed", { ttlSecondsAfterFinished: 60, nodes: { max: 4 } });
  await until("more pods", () => operator.agents("placed")?.spec.parallelism === 4 || undefined);
  await assertKept("placed");
  const uid = operator.agents("placed")?.metadata.uid;
  await operator.edit("placed", { suspend: true });
  await operator.untilCondition("placed", "Suspended", "True");
  await assertKept("placed");
  await operator.edit("placed", { suspend: false });
  await operator.untilCondition("placed", "Admitted", "True");
  operator.restart();
  await assertKept("placed");
  assert.equal(operator.agents("placed")?.metadata.uid, uid);
});

it("pods that a webhook holds back start when it says, also after a suspension", async () => {
  operator.kube.cluster.webhooks.push(place, hold);
  await operator.apply("held", { template });
  const { message } = await operator.untilCondition("held", "Admitted", "False", "Queued");
  assert.match(message, /waits for whoever suspended it/);
  await assertKept("held");
  assert.deepEqual(operator.runs.wishesFor("held"), []);
  await operator.editAgents("held", { suspend: false });
  await operator.untilCondition("held", "Admitted", "True");
  const uid = operator.agents("held")?.metadata.uid;
  await operator.edit("held", { suspend: true });
  await operator.untilCondition("held", "Suspended", "True");
  await until("no job", () => operator.agents("held") === undefined || undefined);
  await operator.edit("held", { suspend: false });
  await operator.untilCondition("held", "Admitted", "False", "Queued");
  await assertKept("held");
  assert.notEqual(operator.agents("held")?.metadata.uid, uid);
  assert.equal(operator.runs.of("held")?.state, "suspended");
  await operator.editAgents("held", { suspend: false });
  await until("the run", () => operator.runs.of("held")?.state === "queued" || undefined);
});

it("a queue may start a suspended job with its own nodes, and take them away again", async () => {
  await operator.apply("queued", { queueName: "research" });
  const { message } = await operator.untilCondition("queued", "Admitted", "False", "Queued");
  assert.equal(message, "queued-agents waits for the queue research.");
  // As Kueue admits: where the quota was found, then the start.
  const flavor = { template: { spec: { nodeSelector: { flavor: "h100" } } } };
  const { code } = await operator.editAgents("queued", { ...flavor, suspend: false });
  assert.equal(code, 200);
  await operator.untilCondition("queued", "Admitted", "True");
  operator.runs.move("queued", { state: "running", numRanks: 4 });
  await operator.untilQuiet("queued");
  assert.deepEqual(podSpec(operator.agents("queued")).nodeSelector, { flavor: "h100" });
  await operator.editAgents("queued", { suspend: true });
  const waits = await operator.untilCondition("queued", "Suspended", "True", "WaitsForNodes");
  assert.match(waits.message, /goes on when the queue research starts it/);
  await operator.editAgents("queued", { suspend: false });
  await until("the run", () => operator.runs.of("queued")?.state === "queued" || undefined);
  await operator.untilQuiet("queued");
  assert.equal(operator.cluster.job("queued")?.status?.executionAttempt, 2);
});

it("pods that an earlier job of the name left behind hold up a new one, not become its own", async () => {
  await operator.apply("left");
  await operator.untilCondition("left", "Admitted", "True");
  const before = operator.cluster.job("left")?.metadata.uid ?? assert.fail();
  const orphan = { kind: "DeleteOptions", apiVersion: "v1", propagationPolicy: "Orphan" };
  await operator.kube.request("DELETE", `${JOBS}/left`, orphan);
  await until("it is gone", () => operator.cluster.job("left") === undefined || undefined);
  await operator.apply("left");
  const { message } = await operator.untilCondition("left", "Admitted", "False", "Refused");
  assert.match(message, /^ServiceAccount left-agents was refused: there is one that is not this/);
  const uid = operator.cluster.job("left")?.metadata.uid ?? assert.fail();
  assert.notEqual(uid, before);
  assert.equal(operator.agents("left"), undefined);
  await operator.kube.request("DELETE", `${AGENTS}/left-agents`);
  // Pods of an account that is not the job's could not join.
  await operator.untilQuiet("left");
  assert.equal(operator.agents("left"), undefined);
  const account = "/api/v1/namespaces/default/serviceaccounts/left-agents";
  await operator.kube.request("DELETE", account);
  await operator.untilCondition("left", "Admitted", "True");
  const mounts = JSON.stringify(podSpec(operator.agents("left")));
  assert.match(mounts, new RegExp(`"subPath":"left-${uid}"`));
});

it("what others have made under a child's name stays theirs, and is told", async () => {
  const maps = "/api/v1/namespaces/default/configmaps";
  const data = { "plan.json": "theirs" };
  const head = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "taken-plan" } };
  await operator.kube.request("POST", maps, { ...head, data });
  await operator.apply("taken");
  await operator.untilCondition("taken", "Admitted", "True");
  const message = await until("an Event", async () => {
    const { body } = await operator.kube.request("GET", "/api/v1/namespaces/default/events");
    const all = (body as { items: { reason: string; message: string }[] }).items;
    const ofIt = all.find(
      ({ reason, message }) => reason === "ChildRefused" && /taken/.test(message),
    );
    return ofIt?.message;
  });
  assert.match(message, /^ConfigMap taken-plan was refused: there is one that is not this job's;/);
  const { body } = await operator.kube.request("GET", `${maps}/taken-plan`);
  assert.deepEqual((body as JsonObject).data, data);
});
