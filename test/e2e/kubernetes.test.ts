import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, it } from "node:test";
import { until } from "../faults/patience.ts";
import type { Json } from "../kubernetes/json.ts";
import { whyNoKubectl } from "../kubernetes/kubectl.ts";
import { FOREIGN_DEFINITIONS } from "../kubernetes/schema/foreign-definitions.ts";
import { Cluster } from "./kubernetes.ts";
import { commandsOf, Reader } from "./kubernetes-docs.ts";
import { PersonsShell } from "./kubernetes-docs-shell.ts";

// Every command of the document is carried out, in its order, or is here with why it is not.
const DOCUMENT = "docs/kubernetes.md";
const NOT_HERE = new Map([
  ["docker build ", "what images hold runs as it lies in the project"],
  ["kubectl exec ", "the played cluster starts nothing in containers that run"],
  ["kubectl -n moestro create secret ", "of a Redis that readers have, and tests have not"],
  ["kubectl apply --server-side -k k8s/overlays/ha-external-redis", "needs that Redis"],
]);

const skip = whyNoKubectl() ?? false;
const JOB = "moejob/quickstart";
const WATCH = "kubectl get moejob -w";
let cluster: Cluster;
let shell: PersonsShell;
let reader: Reader;
before(async () => {
  if (skip !== false) return;
  const sections = commandsOf(DOCUMENT, readFileSync(DOCUMENT, "utf8"));
  cluster = await Cluster.start(["node-a", "node-b"]);
  shell = new PersonsShell(cluster.kube.kubeconfig);
  reader = new Reader(sections, shell, NOT_HERE);
});
after(async () => {
  shell?.close();
  await cluster?.close();
});

const kubectl = (...args: string[]) => cluster.kubectl("-n", "moestro", ...args);
const fieldOf = (path: string) => kubectl("get", JOB, `-o=jsonpath={${path}}`);
const stepNow = async () => Number(await fieldOf(".status.summary.step"));
const isRunning = () => kubectl("wait", "--for=condition=Running", JOB, "--timeout=300s");
const layoutIs = (words: string) =>
  until(`a layout of ${words}`, async () =>
    (await fieldOf(".status.summary.layout")).includes(words),
  );

/** Whether the coordinator does that there is, once the one before it has gone. */
async function operates(): Promise<boolean> {
  const component = "-l=app.kubernetes.io/component=coordinator";
  const pods = await kubectl("get", "pods", component, "-o=name");
  if (pods.trim().includes("\n")) return false;
  const log = await kubectl("logs", "deployment/moestro-coordinator");
  return log.includes("carries out MoETrainingJobs");
}

async function makesSteps(howMany: number): Promise<void> {
  const from = await stepNow();
  await until(
    `${howMany} steps after step ${from}`,
    async () => (await stepNow()) >= from + howMany,
  );
}

it("everything is installed by one command", { skip }, async () => {
  await reader.follow("Build the images");
  await reader.follow("Apply the manifests");
  await reader.follow("Let researchers in");
});

it("what a job becomes is shown before there is one", { skip }, async () => {
  const agents = /^\+\+\+ applied\/moestro\/Job\/quickstart-agents$/m;
  await reader.follow("See what it becomes", {
    "k8s render": (printed) => assert.match(printed, /^kind: NetworkPolicy$/m),
    "k8s diff": (printed) => assert.match(printed, agents),
  });
  assert.equal(await kubectl("get", "moejob", "-o=name"), "");
});

it("a job that is applied trains on all its nodes, and says so", { skip }, async () => {
  await reader.follow("Start it");
  await layoutIs("dp 4");
  await makesSteps(10);
  await reader.follow("Follow it", {
    describe: (printed) => assert.match(printed, /Normal +Running .* moestro-operator /),
    "get pods": (printed) => assert.equal(printed.match(/^quickstart-agents-\d/gm)?.length, 2),
    logs: (printed) => assert.match(printed, /^step \d+: /m),
    configmap: (printed) => assert.ok(JSON.parse(printed).layout),
  });
});

it("it is scaled while it trains, but keeps what its run began with", { skip }, async () => {
  await reader.follow("Scale it", {
    "{.status.nodes}'=1": async () => {
      await isRunning();
      await layoutIs("dp 2");
      await makesSteps(10);
    },
    "{.status.nodes}'=2": async () => {
      await layoutIs("dp 4");
      await isRunning();
    },
    gpusPerNode: (printed) => assert.match(printed, /gpusPerNode cannot be changed/),
  });
});

it("it gives its nodes back while it is suspended, and goes on after", { skip }, async () => {
  let suspendedAt = Number.POSITIVE_INFINITY;
  await reader.follow("Suspend and resume it", {
    "{.status.nodes}'=0": async () => {
      suspendedAt = await stepNow();
      assert.doesNotMatch(await kubectl("get", "pods"), /quickstart/);
    },
  });
  const said = await fieldOf('.status.conditions[?(@.type=="Running")].message');
  const [, first] = /^all ranks stand, training begins with step (\d+)$/.exec(said) ?? [];
  assert.ok(Number(first) > suspendedAt, `${said}, after step ${suspendedAt}`);
});

it("it ends, with a story that its watch and its events tell", { skip }, async () => {
  await reader.follow("Wait for its end", {
    "kubectl get": (printed) => assert.match(printed, /^quickstart +succeeded +240 /m),
  });
  const story = await reader.end(WATCH);
  console.log(story);
  console.log(await kubectl("describe", JOB));
  assert.match(story, /^NAME +STATE +STEP +LOSS +MFU +NODES +RESTARTS +AGE$/m);
  assert.match(story, /^quickstart +succeeded +240 /m);
  assert.equal(await fieldOf(".status.restartsCounted"), "0");
  const events = await kubectl("events", `--for=${JOB}`);
  for (const reason of ["Running", "RunSucceeded"]) assert.match(events, new RegExp(reason));
});

it("deleted, it leaves nothing but its run's folder", { skip }, async () => {
  // All that pods wrote in what runs share, of which they may write no more.
  const folders = [`quickstart-${await fieldOf(".metadata.uid")}`];
  assert.deepEqual(cluster.kube.nodes.namesIn("moestro", "moestro-runs"), folders);
  await reader.follow("Delete it");
  await until("nothing is left", async () => {
    const kinds = "jobs,pods,services,configmaps,serviceaccounts,networkpolicies,pdb";
    const left = await kubectl("get", kinds, "-l=moestro.dev/job=quickstart", "-o=name");
    return left.trim() === "";
  });
});

it("overlays are added to what is there, and all of it is removed", { skip }, async () => {
  // As the projects that they are for would have done.
  const path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  for (const definition of FOREIGN_DEFINITIONS) {
    const { code } = await cluster.kube.request("POST", path, definition as Json);
    assert.equal(code, 201);
  }
  await reader.follow("Queues", {
    "rollout status": () => until("the operator is back", operates),
  });
  await reader.follow("Watch the operator", {
    logs: (printed) => assert.match(printed, /"level":"info"/),
  });
  await reader.follow("Remove it");
  const left = await cluster.kubectl("get", "namespaces,crd,clusterroles", "-o=name");
  assert.doesNotMatch(left, /moestro/);
});

it("every command of the document has been carried out", { skip }, () => {
  reader.assertDone();
});
