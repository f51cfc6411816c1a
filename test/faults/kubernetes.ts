// npm run test:faults:kubernetes: what a cluster does to a job while two coordinators carry it out.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, it } from "node:test";
import { parse } from "yaml";
import { Cluster } from "../e2e/kubernetes.ts";
import { freePorts } from "../free-ports.ts";
import { type Json, textAt } from "../kubernetes/json.ts";
import { whyNoKubectl } from "../kubernetes/kubectl.ts";
import { until } from "./patience.ts";

const skip = whyNoKubectl() ?? false;
const OUTAGE_MS = 60_000;
/** Two agents import torch, and two coordinators start. */
const START_MS = 300_000;
const JOBS = "/apis/moestro.dev/v1alpha1/namespaces/moestro/moetrainingjobs";
let cluster: Cluster;
let redis: ChildProcess | undefined;

interface Status {
  summary?: { state: string; step: number; layout?: string };
  restarts?: number;
  restartsCounted?: number;
  executionAttempt?: number;
  nodes?: number;
}

/** Without a client, and as the API server has it also while it answers nobody. */
function statusNow(): Status {
  const key = { group: "moestro.dev", plural: "moetrainingjobs" };
  return (cluster.kube.cluster.storage.get(key, "moestro", "lasting")?.status ?? {}) as Status;
}

const stepNow = () => statusNow().summary?.step ?? 0;
const layoutIs = (words: string) => statusNow().summary?.layout?.endsWith(words);
const isRunning = () => statusNow().summary?.state === "running";

async function makesSteps(howMany: number): Promise<void> {
  const from = stepNow();
  await until(
    `${howMany} steps after step ${from}`,
    () => isRunning() && stepNow() >= from + howMany,
  );
}

function agentPods() {
  const isAgent = (pod: { metadata: { labels?: Record<string, string> } }) =>
    pod.metadata.labels?.["moestro.dev/job"] === "lasting";
  return cluster.kube.cluster.storage
    .list({ group: "", plural: "pods" }, "moestro")
    .filter((pod) => isAgent(pod) && textAt(pod, "status", "phase") === "Running");
}

/** Two coordinators, which cannot listen at one address here as they do at their pods' own. */
async function startTwo(): Promise<void> {
  cluster = await Cluster.start(["node-a", "node-b", "node-c"]);
  const [port, , , store] = await freePorts(4);
  redis = spawn("redis-server", ["--bind", "127.0.0.1", "--port", `${store}`, "--save", ""]);
  const { nodes } = cluster.kube;
  const rewrite = nodes.rewrite;
  let first: string | undefined;
  nodes.rewrite = (given, pod) => {
    const text = rewrite(given, pod);
    const { name } = pod.metadata;
    const all = text.replace(/^(--coordinator=)(.*)$/, `$1$2,127.0.0.1:${port}`);
    if (!name.startsWith("moestro-coordinator")) return all;
    first ??= name;
    if (name === first) return text;
    const listen = text.replace(/^(--listen=127\.0\.0\.1:)\d+$/, `$1${port}`);
    return listen.replace(/^(--http=127\.0\.0\.1:)\d+$/, `$1${port + 2}`);
  };
  const secret = ["create", "secret", "generic", "moestro-redis"];
  await cluster.kubectl("create", "namespace", "moestro");
  const url = `--from-literal=url=redis://127.0.0.1:${store}`;
  await cluster.kubectl("-n", "moestro", ...secret, url);
  await cluster.kubectl("apply", "--server-side", "-k", "k8s/overlays/ha-external-redis");
}

before(async () => {
  if (skip !== false) return;
  await startTwo();
  const job = parse(readFileSync("k8s/samples/quickstart.yaml", "utf8"));
  job.metadata.name = "lasting";
  job.spec.training = { ...job.spec.training, steps: 100_000, validationEverySteps: 0 };
  job.spec.checkpoint = { everySteps: 20 };
  const { code } = await cluster.kube.request("POST", JOBS, job as Json);
  assert.equal(code, 201);
  await until("training on both nodes", () => isRunning() && layoutIs("dp 4"), START_MS);
  await makesSteps(10);
});
after(async () => {
  await cluster?.close();
  redis?.kill("SIGKILL");
});

it("training goes on while the API server is away, and is followed again after", {
  skip,
}, async () => {
  const before = statusNow();
  cluster.kube.faults.goAway(OUTAGE_MS);
  await until("the API server is back", () => !cluster.kube.faults.isAway);
  await makesSteps(20);
  const { restarts, executionAttempt } = statusNow();
  assert.deepEqual(
    { restarts, executionAttempt },
    { restarts: before.restarts, executionAttempt: 1 },
  );
});

it("a pod that is evicted is replaced, which counts against no limit", { skip }, async () => {
  const [pod] = agentPods();
  const { name = "", uid = "" } = pod?.metadata ?? {};
  const { restarts = 0 } = statusNow();
  cluster.kube.nodes.evict("moestro", name);
  await until("another pod", () => agentPods().every(({ metadata }) => metadata.uid !== uid));
  await until("both nodes again", () => agentPods().length === 2 && layoutIs("dp 4"));
  await makesSteps(10);
  const after = statusNow();
  assert.ok((after.restarts ?? 0) > restarts);
  assert.equal(after.restartsCounted, 0);
});

it("a node that is lost is done without, and its pod comes back elsewhere", { skip }, async () => {
  const [pod] = agentPods();
  const node = textAt(pod, "spec", "nodeName");
  const fromMs = performance.now();
  cluster.kube.nodes.lose(node);
  await until("training without it", () => isRunning() && layoutIs("dp 2"));
  console.log(`training goes on after ${((performance.now() - fromMs) / 1000).toFixed(1)} s`);
  cluster.kube.nodes.forget(node);
  await until("both nodes again", () => isRunning() && layoutIs("dp 4"));
  await makesSteps(10);
  assert.equal(statusNow().restartsCounted, 0);
});

it("when the operator that leads is killed, the other goes on where it was", { skip }, async () => {
  const { restarts } = statusNow();
  const holder = () => {
    const lease = { group: "coordination.k8s.io", plural: "leases" };
    const found = cluster.kube.cluster.storage.get(lease, "moestro", "moestro-operator");
    return textAt(found, "spec", "holderIdentity");
  };
  const killed = holder();
  const [, pid] = killed.split("_");
  process.kill(Number(pid), "SIGKILL");
  await until("another leads", () => holder() !== killed && holder() !== "");
  await makesSteps(20);
  assert.deepEqual(
    { restarts: statusNow().restarts, attempts: statusNow().executionAttempt },
    { restarts, attempts: 1 },
  );
});
