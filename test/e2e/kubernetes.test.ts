import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { until } from "../faults/patience.ts";
import { whyNoKubectl } from "../kubernetes/kubectl.ts";
import { Cluster } from "./kubernetes.ts";

const skip = whyNoKubectl() ?? false;
const JOB = "moejob/quickstart";
const PATIENCE = "--timeout=300s";
let cluster: Cluster;
before(async () => {
  if (skip === false) cluster = await Cluster.start(["node-a", "node-b"]);
});
after(() => cluster?.close());

const kubectl = (...args: string[]) => cluster.kubectl("-n", "moestro", ...args);
const fieldOf = (path: string, what = JOB) => kubectl("get", what, `-o=jsonpath={${path}}`);
const stepNow = async () => Number(await fieldOf(".status.summary.step"));
const waitFor = (condition: string) => kubectl("wait", `--for=${condition}`, JOB, PATIENCE);

/** Names of the agents' pods that are not ending. */
async function podNames(): Promise<string[]> {
  const phases = "--field-selector=status.phase=Running";
  const selector = await fieldOf(".status.selector");
  return (await kubectl("get", "pods", `-l=${selector}`, phases, "-o=name")).trim().split("\n");
}

async function makesSteps(howMany: number): Promise<void> {
  const from = await stepNow();
  await until(
    `${howMany} steps after step ${from}`,
    async () => (await stepNow()) >= from + howMany,
  );
}

it("everything is installed by one command", { skip }, async () => {
  await cluster.kubectl("apply", "--server-side", "-k", "k8s/");
  await kubectl("rollout", "status", "deployment/moestro-coordinator", PATIENCE);
});

it("a job that is applied trains, is scaled, suspended, resumed, and ends", { skip }, async () => {
  const watched = cluster.watch("-n", "moestro", "get", "moejob", "-w");
  await cluster.kubectl("apply", "--server-side", "-f", "k8s/samples/quickstart.yaml");
  await waitFor("condition=Running");
  await until("both nodes", async () => (await fieldOf(".status.summary.layout")).includes("dp 4"));
  await makesSteps(10);

  await kubectl("scale", "--replicas=1", JOB);
  await waitFor("jsonpath={.status.nodes}=1");
  await until("one pod", async () => (await podNames()).length === 1);
  await waitFor("condition=Running");
  await makesSteps(10);
  await kubectl("scale", "--replicas=2", JOB);
  await waitFor("jsonpath={.status.nodes}=2");
  await waitFor("condition=Running");
  await makesSteps(10);

  const patch = (suspend: boolean) =>
    kubectl("patch", JOB, "--type=merge", `-p={"spec":{"suspend":${suspend}}}`);
  await patch(true);
  await waitFor("condition=Suspended");
  await waitFor("jsonpath={.status.nodes}=0");
  const suspendedAt = await stepNow();
  assert.match(await kubectl("get", "pods"), /moestro-coordinator/);
  assert.doesNotMatch(await kubectl("get", "pods"), /quickstart/);
  await patch(false);
  await waitFor("condition=Running");
  assert.ok((await stepNow()) >= suspendedAt);

  const [pod = ""] = await podNames();
  assert.match(await kubectl("logs", pod), /agent/);
  await waitFor("condition=Succeeded");
  const story = await watched();
  console.log(story);
  console.log(await kubectl("describe", JOB));
  assert.match(story, /^NAME +STATE +STEP +LOSS +MFU +NODES +RESTARTS +AGE$/m);
  assert.match(story, /^quickstart +succeeded +240 /m);
  assert.equal(await fieldOf(".status.restartsCounted"), "0");
  const events = await kubectl("events", `--for=${JOB}`);
  for (const reason of ["Running", "RunSucceeded"]) assert.match(events, new RegExp(reason));
});

it("a job that is deleted leaves nothing but its run's folder", { skip }, async () => {
  await kubectl("delete", JOB);
  await until("nothing is left", async () => {
    const kinds = "jobs,pods,services,configmaps,serviceaccounts,networkpolicies,pdb";
    const left = await kubectl("get", kinds, "-l=moestro.dev/job=quickstart", "-o=name");
    return left.trim() === "";
  });
});
