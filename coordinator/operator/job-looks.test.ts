import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { KubeConfig } from "@kubernetes/client-node";
import { parse } from "yaml";
import { until } from "../../test/faults/patience.ts";
import type { JsonObject } from "../../test/kubernetes/json.ts";
import { startCluster } from "../../test/kubernetes/start.ts";
import { CHILDREN_OPTIONS } from "../kubernetes/children/options.ts";
import { clusterWrites } from "./cluster-writes.ts";
import { jobWith, runWith } from "./job-fixture.ts";
import { JobLooks, type RunAction } from "./job-looks.ts";
import { isTrue } from "./job-status.ts";
import { judgeSpec } from "./judge-spec.ts";
import { WATCH_OPTIONS } from "./list-watch.ts";
import type { ObservedRun } from "./observation.ts";
import { WatchedCluster } from "./watched-cluster.ts";
import { WorkQueue } from "./work-queue.ts";

const JOBS = "/apis/moestro.dev/v1alpha1/namespaces/default/moetrainingjobs";
const FAST = { firstMs: 5, mostMs: 50, random: () => 0 };

it("a job that is applied is made, submitted, followed and, when deleted, gone", async () => {
  const kube = await startCluster({ bookmarkMs: 50 });
  const crd = readFileSync(fileURLToPath(new URL("../../k8s/base/crd.yaml", import.meta.url)));
  await kube.request(
    "POST",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    parse(String(crd)),
  );
  const config = new KubeConfig();
  config.loadFromFile(kube.kubeconfig);
  const failures: unknown[] = [];
  const wishes: RunAction[] = [];
  let numLooks = 0;
  let run: ObservedRun | undefined;
  const cluster = new WatchedCluster(
    config,
    "default",
    { changed: (name) => queue.add(name), failed: (error) => failures.push(error) },
    { ...WATCH_OPTIONS, ...FAST, hasJobSets: false },
  );
  const looks = new JobLooks({
    ...{ cluster, installation: CHILDREN_OPTIONS, now: Date.now, writes: clusterWrites(config) },
    judge: (job) => judgeSpec(job, "/", async () => "{}"),
    runs: {
      find: async () => run,
      wish: async (action) => {
        wishes.push(action);
        if (action.kind === "submitRun") run ??= runWith({ state: "running", numRanks: 4 });
      },
    },
  });
  const queue = new WorkQueue(
    async (name) => {
      const againMs = await looks.look(name);
      numLooks += 1;
      return againMs;
    },
    (_, error) => failures.push(error),
    { ...FAST, concurrency: 4 },
  );
  const numPatches = () => kube.faults.totalRequests({ verb: "patch" });
  const head = { apiVersion: "moestro.dev/v1alpha1", kind: "MoETrainingJob" };
  const spec = jobWith().spec as JsonObject;
  await kube.request("POST", JOBS, { ...head, metadata: { name: "tiny" }, spec });
  const running = cluster.run();
  try {
    await until("a run", () => isTrue(cluster.job("tiny")?.status, "Running") || undefined);
    assert.deepEqual(
      wishes.map(({ kind }) => kind),
      ["submitRun"],
    );
    await until("a look that writes nothing", async () => {
      const [patchesBefore, looksBefore] = [numPatches(), numLooks];
      queue.add("tiny");
      await until("another look", () => numLooks > looksBefore || undefined);
      return numPatches() === patchesBefore || undefined;
    });
    await kube.request("POST", JOBS, { ...head, metadata: { name: "later" }, spec });
    await until("another", () => isTrue(cluster.job("later")?.status, "Running") || undefined);
    for (const name of ["tiny", "later"]) await kube.request("DELETE", `${JOBS}/${name}`);
    await until("nothing left", async () => {
      const { body } = await kube.request("GET", "/apis/batch/v1/namespaces/default/jobs");
      return (body as { items: unknown[] }).items.length === 0 || undefined;
    });
    assert.deepEqual(failures, []);
  } finally {
    queue.close();
    cluster.close();
    await running;
    await kube.close();
  }
});
