import assert from "node:assert/strict";
import { after, afterEach, before, it } from "node:test";
import { until } from "../../test/faults/patience.ts";
import type { JsonObject } from "../../test/kubernetes/json.ts";
import { CHILDREN_OPTIONS } from "../kubernetes/children/options.ts";
import { IDLE_AGENTS, startOperator, type TestOperator } from "./played-operator-fixture.ts";
import { isReady } from "./reconcile/pods.ts";

const QUOTAS = "/api/v1/namespaces/default/resourcequotas";
const EVENTS = "/api/v1/namespaces/default/events";

let operator: TestOperator;
before(async () => {
  operator = await startOperator({
    ...IDLE_AGENTS,
    watch: { silentMs: 200, relistMs: 500 },
  });
});
afterEach(() => operator.kube.faults.recover());
after(() => operator.close());

async function quota(pods: string): Promise<void> {
  const spec = { hard: { pods } };
  const head = { apiVersion: "v1", kind: "ResourceQuota", metadata: { name: "few" } };
  const { code } = await operator.kube.request("POST", QUOTAS, { ...head, spec });
  assert.equal(code, 201);
}

interface Told {
  type: string;
  reason: string;
  involvedObject: { kind: string; name: string };
}

async function eventsAbout(name: string): Promise<string[]> {
  const { body } = await operator.kube.request("GET", EVENTS);
  const all = (body as unknown as { items: Told[] }).items;
  return all.flatMap(({ type, reason, involvedObject: about }) =>
    about.kind === "MoETrainingJob" && about.name === name ? [`${type} ${reason}`] : [],
  );
}

async function comeUp(name: string, own: JsonObject = {}): Promise<void> {
  await operator.apply(name, own);
  await operator.untilCondition(name, "Admitted", "True");
  const areReady = () => operator.pods(name).filter(isReady).length === 2;
  await until(`pods of ${name}`, () => areReady() || undefined);
  operator.runs.move(name, { state: "running", reason: "all ranks stand", numRanks: 4 });
  await operator.untilCondition(name, "Running", "True");
}

it("a quota that leaves no room for a pod is told until it does", async () => {
  await quota("1");
  await operator.apply("crowded");
  const { message } = await operator.untilCondition("crowded", "Running", "False", "QuotaExceeded");
  assert.match(message, /^its pods cannot be made: exceeded quota: few, .* limited: pods=1$/);
  const told = async () => (await eventsAbout("crowded")).includes("Warning QuotaExceeded");
  await until("an Event", async () => (await told()) || undefined);
  await operator.kube.request("DELETE", `${QUOTAS}/few`);
  await until("its pods", () => operator.pods("crowded").length === 2 || undefined);
  await until("another reason", () => {
    operator.queue.add("crowded");
    return operator.condition("crowded", "Running")?.reason !== "QuotaExceeded" || undefined;
  });
  await operator.delete("crowded");
});

it("an image that cannot be pulled is told until it can", async () => {
  const image = CHILDREN_OPTIONS.images.cpu;
  operator.kube.nodes.setPullable(image, false);
  await operator.apply("missing");
  const { message } = await operator.untilCondition(
    ...(["missing", "Running", "False", "ImagePullFailed"] as const),
  );
  assert.match(
    message,
    /^pod missing-agents-0-\S+: image moestro\/worker-cpu:\S+ cannot be pulled;/,
  );
  operator.kube.nodes.setPullable(image, true);
  await until("pods", () => operator.pods("missing").some(isReady) || undefined);
  operator.runs.move("missing", { state: "running", numRanks: 4 });
  await operator.untilCondition("missing", "Running", "True");
  await operator.delete("missing");
});

it("a pod that is evicted is told, replaced and not counted", async () => {
  await comeUp("evicted");
  const [victim] = operator.pods("evicted");
  operator.kube.nodes.evict("default", victim?.metadata.name ?? "");
  operator.runs.move("evicted", {
    ...{ state: "recovering", reason: "agent left; its node is drained", numRanks: 0 },
    ...{ restarts: 1, generation: 2 },
  });
  await operator.untilCondition("evicted", "Recovering", "True", "PodEvicted");
  await until("another pod", () => {
    const ready = operator.pods("evicted").filter(isReady);
    const isOther = ready.every(({ metadata }) => metadata.uid !== victim?.metadata.uid);
    return (ready.length === 2 && isOther) || undefined;
  });
  assert.equal(operator.condition("evicted", "Recovering")?.reason, "PodEvicted");
  operator.runs.move("evicted", { state: "running", reason: "all ranks stand", numRanks: 4 });
  await operator.untilCondition("evicted", "Running", "True");
  const { restarts, restartsCounted } = operator.cluster.job("evicted")?.status ?? {};
  assert.deepEqual([restarts, restartsCounted], [1, 0]);
  assert.deepEqual(operator.runs.wishesFor("evicted"), ["submitRun"]);
  const told = async () => (await eventsAbout("evicted")).includes("Warning RanksRestarted");
  await until("an Event", async () => (await told()) || undefined);
  await operator.delete("evicted");
});

it("an API server that is away for a while changes nothing, and is caught up with", async () => {
  await comeUp("away");
  const uid = operator.agents("away")?.metadata.uid;
  operator.kube.faults.goAway(700);
  operator.queue.add("away");
  await until("failures", () => operator.failures.length > 0 || undefined);
  operator.runs.move("away", { step: 100, reason: "step 100" });
  await until("that it is back", () => !operator.kube.faults.isAway || undefined);
  await operator.edit("away", { nodes: { max: 4 } });
  await until("a larger job", () => operator.runs.of("away")?.maxRanks === 8 || undefined);
  await until("more pods", () => operator.pods("away").length === 4 || undefined);
  assert.equal(operator.agents("away")?.metadata.uid, uid);
  assert.deepEqual(operator.runs.wishesFor("away"), ["submitRun", "scaleRun"]);
  assert.equal(operator.cluster.job("away")?.status?.executionAttempt, 1);
  await operator.delete("away");
});

it("watches that are silent are noticed, and what they kept to themselves is found", async () => {
  operator.kube.faults.areWatchesSilent = true;
  await operator.apply("unheard");
  await operator.untilCondition("unheard", "Admitted", "True");
  operator.kube.faults.areWatchesSilent = false;
  await operator.untilQuiet("unheard");
  assert.equal(operator.cluster.job("unheard")?.status?.executionAttempt, 1);
  assert.deepEqual(operator.runs.wishesFor("unheard"), ["submitRun"]);
  await operator.delete("unheard");
});
