import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { until } from "../../faults/patience.ts";
import { at, type JsonObject, type KubeObject, objectsAt, textAt } from "../json.ts";
import { kubectl, whyNoKubectl } from "../kubectl.ts";
import { startCluster, type TestCluster } from "../start.ts";

const PODS = "/api/v1/namespaces/default/pods";
const JOBS = "/apis/batch/v1/namespaces/default/jobs";
const ONE = { completions: 1, parallelism: 1 };
let kube: TestCluster;
before(async () => {
  kube = await startCluster({
    nodes: ["a", "b"],
    images: {
      shell: { prefix: ["/bin/sh", "-c"] },
      echo: { entrypoint: ["/bin/echo", "/tmp/own"], environment: { HERE: "/tmp/own" } },
    },
  });
});
after(() => kube.close());

function script(text: string, more: JsonObject = {}): JsonObject {
  return { name: "main", image: "shell", args: [text], ...more };
}

function job(
  name: string,
  text: string,
  spec: JsonObject = {},
  container: JsonObject = {},
): JsonObject {
  const containers = [script(text, container)];
  const pod = { restartPolicy: "Never", terminationGracePeriodSeconds: 1, containers };
  const indexed = { completionMode: "Indexed", completions: 2, parallelism: 2 };
  return { metadata: { name }, spec: { ...indexed, template: { spec: pod }, ...spec } };
}

async function conditionOf(name: string, type: string): Promise<JsonObject | undefined> {
  const { body } = await kube.request("GET", `${JOBS}/${name}`);
  return objectsAt(body, "status", "conditions").find(
    (each) => each.type === type && each.status === "True",
  );
}

function podsOf(name: string): KubeObject[] {
  return kube.cluster.storage
    .list({ group: "", plural: "pods" }, "default")
    .filter(({ metadata }) => metadata.labels?.["job-name"] === name);
}

async function running(name: string, count: number): Promise<KubeObject[]> {
  return until(`${count} running pods of ${name}`, () => {
    const pods = podsOf(name).filter(
      (pod) => textAt(pod, "status", "phase") === "Running" && !pod.metadata.deletionTimestamp,
    );
    return pods.length === count ? pods : undefined;
  });
}

async function patchJob(name: string, spec: JsonObject): Promise<void> {
  const merge = { headers: { "content-type": "application/merge-patch+json" } };
  const { code, body } = await kube.request("PATCH", `${JOBS}/${name}`, { spec }, merge);
  assert.equal(code, 200, JSON.stringify(body));
}

test("a pod is a process with its variables, files and token, and leaves a log", async () => {
  const data = { greeting: "hello" };
  await kube.request("POST", "/api/v1/namespaces/default/configmaps", {
    metadata: { name: "c" },
    data,
  });
  const volumes = [
    { name: "files", configMap: { name: "c" } },
    {
      name: "token",
      projected: { sources: [{ serviceAccountToken: { audience: "moestro", path: "token" } }] },
    },
  ];
  const container = script(
    "cat /etc/files/greeting; echo; cut -c1-2 /var/token/token; echo $NAME $(NAME)",
    {
      env: [{ name: "NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }],
      volumeMounts: [
        { name: "files", mountPath: "/etc/files" },
        { name: "token", mountPath: "/var/token" },
      ],
    },
  );
  const spec = { restartPolicy: "Never", containers: [container], volumes };
  const made = await kube.request("POST", PODS, { metadata: { name: "p" }, spec });
  assert.equal(made.code, 201, JSON.stringify(made.body));
  await until("the end", async () => {
    const { body } = await kube.request("GET", `${PODS}/p`);
    return textAt(body, "status", "phase") === "Succeeded" || undefined;
  });
  const { body } = await kube.request("GET", `${PODS}/p/log`);
  assert.equal(body, "hello\ney\np p\n");
});

test("a path of the image is its own, also where a volume is mounted above it", async () => {
  const container = {
    ...{ name: "main", image: "echo", args: ["/tmp/given", "$(HERE)x"] },
    volumeMounts: [
      { name: "t", mountPath: "/tmp/given" },
      { name: "u", mountPath: "/tmp/own" },
    ],
  };
  const volumes = ["t", "u"].map((name) => ({ name, emptyDir: {} }));
  const spec = { restartPolicy: "Never", containers: [container], volumes };
  await kube.request("POST", PODS, { metadata: { name: "own" }, spec });
  const said = await until("the log", async () => {
    const { code, body } = await kube.request("GET", `${PODS}/own/log`);
    return code === 200 && body !== "" && String(body);
  });
  assert.match(said, /^\/tmp\/own \/\S+\/volumes\/t \/tmp\/ownx\n$/);
});

test("a mount with a subPath is that folder of the volume, made if it is not there", async () => {
  const text = "echo kept > /all/own/x && cat /all/other/own/x";
  const pod = (name: string, subPath: string): JsonObject => {
    const volumeMounts = [
      { name: "claim", mountPath: "/all/own", subPath },
      { name: "claim", mountPath: "/all/other", readOnly: true },
    ];
    const volumes = [{ name: "claim", persistentVolumeClaim: { claimName: "c" } }];
    const containers = [script(text, { volumeMounts })];
    return { metadata: { name }, spec: { restartPolicy: "Never", containers, volumes } };
  };
  assert.deepEqual(kube.nodes.namesIn("default", "c"), []);
  await kube.request("POST", PODS, pod("deep", "own"));
  await until("the end", async () => {
    const { body } = await kube.request("GET", `${PODS}/deep`);
    return textAt(body, "status", "phase") === "Succeeded" || undefined;
  });
  assert.equal((await kube.request("GET", `${PODS}/deep/log`)).body, "kept\n");
  assert.deepEqual(kube.nodes.namesIn("default", "c"), ["own"]);
  for (const [name, subPath, why] of [
    ["up", "own/../..", "unable to provision SubPath `own/../..`: must not contain '..'"],
    ["root", "/own", "error SubPath `/own` must not be an absolute path"],
  ] as const) {
    await kube.request("POST", PODS, pod(name, subPath));
    const waiting = await until("why it waits", async () => {
      const { body } = await kube.request("GET", `${PODS}/${name}`);
      return at(body, "status", "containerStatuses", 0, "state", "waiting") as JsonObject;
    });
    assert.deepEqual([waiting.reason, waiting.message], ["CreateContainerConfigError", why]);
    await kube.request("DELETE", `${PODS}/${name}`);
  }
});

test("a followed log goes on until the pod ends", { skip: whyNoKubectl() ?? false }, async () => {
  await kube.request("POST", JOBS, job("chatty", "echo one; sleep 0.5; echo two", ONE));
  await running("chatty", 1);
  const { stdout } = await kubectl(kube, ["logs", "--follow", "job/chatty"]);
  assert.equal(stdout, "one\ntwo\n");
});

test("a StatefulSet keeps its claim's files from one pod to the next, and a Deployment its replicas", async () => {
  const apps = "/apis/apps/v1/namespaces/default";
  const labels = { app: "w" };
  const spec = (text: string, mounts: JsonObject[] = []): JsonObject => {
    const containers = [script(text, { volumeMounts: mounts })];
    const pod = { terminationGracePeriodSeconds: 1, containers };
    return { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: pod } };
  };
  const volumeClaimTemplates = [{ metadata: { name: "data" }, spec: {} }];
  const mount = { name: "data", mountPath: "/data" };
  const text = "cat /data/x; echo kept > /data/x; exec sleep 600";
  const set = { metadata: { name: "set" }, spec: { ...spec(text, [mount]), volumeClaimTemplates } };
  assert.equal((await kube.request("POST", `${apps}/statefulsets`, set)).code, 201);
  const ready = (kind: string, name: string, count: number) =>
    until(`${name} to be ready`, async () => {
      const { body } = await kube.request("GET", `${apps}/${kind}/${name}`);
      return at(body, "status", "readyReplicas") === count || undefined;
    });
  await ready("statefulsets", "set", 1);
  await until("the file", async () => {
    await kube.request("DELETE", `${PODS}/set-0`);
    await until(
      "a new pod",
      async () => (await kube.request("GET", `${PODS}/set-0/log`)).code === 200,
    );
    return (await kube.request("GET", `${PODS}/set-0/log`)).body === "kept\n" || undefined;
  });
  const deployment = { metadata: { name: "many" }, spec: { ...spec("sleep 600"), replicas: 2 } };
  await kube.request("POST", `${apps}/deployments`, deployment);
  await ready("deployments", "many", 2);
  const options = { propagationPolicy: "Foreground" };
  await kube.request("DELETE", `${apps}/deployments/many`, options);
  await kube.request("DELETE", `${apps}/statefulsets/set`, options);
  await until("the end", async () => {
    const { body } = await kube.request("GET", `${PODS}?labelSelector=app%3Dw`);
    return (body as { items: unknown[] }).items.length === 0 || undefined;
  });
});

test("an Indexed job runs a pod an index and is complete when each has succeeded", async () => {
  await kube.request("POST", JOBS, job("done", "echo index $JOB_COMPLETION_INDEX"));
  await until("completion", () => conditionOf("done", "Complete"));
  const { body } = await kube.request("GET", `${JOBS}/done`);
  assert.equal(at(body, "status", "completedIndexes"), "0-1");
  assert.deepEqual(
    podsOf("done").map(({ spec }) => spec?.nodeName),
    ["a", "b"],
  );
});

test("a failure counts, an exit code that the policy names fails the job at once", async () => {
  const rules = [{ action: "FailJob", onExitCodes: { operator: "In", values: [42] } }];
  const policy = { podFailurePolicy: { rules } };
  await kube.request("POST", JOBS, job("policy", "exit 42", policy));
  const failed = await until("failure", () => conditionOf("policy", "Failed"));
  assert.equal(failed.reason, "PodFailurePolicy");
  assert.match(String(failed.message), /failed with exit code 42 matching FailJob rule at index 0/);
  await kube.request("POST", JOBS, job("limit", "exit 1", { backoffLimit: 1 }));
  const over = await until("failure", () => conditionOf("limit", "Failed"));
  assert.equal(over.reason, "BackoffLimitExceeded");
});

test("an index that fails too often fails alone, the others go on", async () => {
  const text = 'test "$JOB_COMPLETION_INDEX" = 0';
  await kube.request("POST", JOBS, job("each", text, { backoffLimitPerIndex: 1 }));
  const failed = await until("failure", () => conditionOf("each", "Failed"));
  const { body } = await kube.request("GET", `${JOBS}/each`);
  assert.deepEqual(
    [failed.reason, at(body, "status", "completedIndexes"), at(body, "status", "failedIndexes")],
    ["FailedIndexes", "0", "1"],
  );
  assert.equal(at(body, "status", "failed"), 2);
});

test("a job ends at its deadline and is deleted after its time to live, by the cluster's clock", async () => {
  const times = { activeDeadlineSeconds: 1000, ttlSecondsAfterFinished: 1000 };
  await kube.request("POST", JOBS, job("timed", "sleep 600", times));
  await running("timed", 2);
  kube.cluster.now = () => Date.now() + 1_100_000;
  const failed = await until("failure", () => conditionOf("timed", "Failed"));
  assert.equal(failed.reason, "DeadlineExceeded");
  kube.cluster.now = () => Date.now() + 3_000_000;
  await until(
    "the end",
    async () => (await kube.request("GET", `${JOBS}/timed`)).code === 404 || undefined,
  );
  kube.cluster.now = Date.now;
});

test("pods that a quota refuses are told in an Event and made when there is room", async () => {
  const quotas = "/api/v1/namespaces/default/resourcequotas";
  const hard = { "requests.cpu": "1500m" };
  await kube.request("POST", quotas, { metadata: { name: "q" }, spec: { hard } });
  const resources = { requests: { cpu: "1" } };
  await kube.request("POST", JOBS, job("quota", "sleep 600", {}, { resources }));
  await running("quota", 1);
  await until("the event", async () => {
    const { body } = await kube.request("GET", "/api/v1/namespaces/default/events");
    const { items } = body as { items: JsonObject[] };
    return items.some(({ message }) => String(message).includes("exceeded quota: q")) || undefined;
  });
  await kube.request("DELETE", `${quotas}/q`);
  await running("quota", 2);
  await kube.request("DELETE", `${JOBS}/quota`);
});

test("an evicted pod is replaced and not counted where the policy ignores disruptions", async () => {
  const onPodConditions = [{ type: "DisruptionTarget", status: "True" }];
  const policy = { podFailurePolicy: { rules: [{ action: "Ignore", onPodConditions }] } };
  await kube.request("POST", JOBS, job("evicted", "sleep 600", { ...policy, backoffLimit: 0 }));
  const [first] = await running("evicted", 2);
  kube.nodes.evict("default", first?.metadata.name ?? "");
  await until(
    "the eviction",
    () =>
      podsOf("evicted").every(({ metadata }) => metadata.uid !== first?.metadata.uid) || undefined,
  );
  const pods = await running("evicted", 2);
  assert.equal(kube.nodes.pidsOf("default", pods[0]?.metadata.name ?? "").size, 1);
  const { body } = await kube.request("GET", `${JOBS}/evicted`);
  assert.equal(at(body, "status", "failed"), undefined);
  await kube.request("DELETE", `${JOBS}/evicted`);
  await until("collection", () => podsOf("evicted").length === 0 || undefined);
});

test("suspending ends the pods, resuming starts new ones, and completions of an elastic job change", async () => {
  await kube.request("POST", JOBS, job("elastic", "sleep 600", { suspend: true }));
  await until("suspension", () => conditionOf("elastic", "Suspended"));
  assert.deepEqual(podsOf("elastic"), []);
  await patchJob("elastic", { suspend: false });
  await running("elastic", 2);
  await patchJob("elastic", ONE);
  await running("elastic", 1);
  await patchJob("elastic", { suspend: true });
  await until("the end", () => podsOf("elastic").length === 0 || undefined);
  const { body } = await kube.request("GET", `${JOBS}/elastic`);
  assert.deepEqual(
    [at(body, "status", "failed"), at(body, "status", "active")],
    [undefined, undefined],
  );
});

test("a pod that is deleted is asked to end, is made to, and is gone from the API after that", async () => {
  const text = "trap '' TERM; while true; do sleep 0.1; done";
  await kube.request("POST", JOBS, job("stubborn", text, ONE));
  const [pod] = await running("stubborn", 1);
  const name = pod?.metadata.name ?? "";
  const [pid = 0] = kube.nodes.pidsOf("default", name).values();
  await kube.request("DELETE", `${JOBS}/stubborn`);
  await until("marking", () => podsOf("stubborn")[0]?.metadata.deletionTimestamp);
  assert.ok(isAlive(pid));
  await until("the end", () => podsOf("stubborn").length === 0 || undefined);
  assert.ok(!isAlive(pid));
});

test("an image that cannot be pulled is told in the pod's status until it can", async () => {
  kube.nodes.setPullable("shell", false);
  await kube.request("POST", JOBS, job("pull", "true"));
  await until(
    "waiting",
    () =>
      podsOf("pull").some(
        (pod) =>
          textAt(pod, "status", "containerStatuses", 0, "state", "waiting", "reason") ===
          "ImagePullBackOff",
      ) || undefined,
  );
  kube.nodes.setPullable("shell", true);
  await until("completion", () => conditionOf("pull", "Complete"));
});

test("the pods of a node that is given up start again on the others", async () => {
  await kube.request("POST", JOBS, job("lost", "sleep 600"));
  const pods = await running("lost", 2);
  const onB = pods.find(({ spec }) => spec?.nodeName === "b");
  const [pid = 0] = kube.nodes.pidsOf("default", onB?.metadata.name ?? "").values();
  kube.nodes.lose("b");
  await until("the process's end", () => !isAlive(pid) || undefined);
  assert.equal(podsOf("lost").length, 2);
  kube.nodes.forget("b");
  const after = await running("lost", 2);
  assert.deepEqual(
    after.map(({ spec }) => spec?.nodeName),
    ["a", "a"],
  );
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
