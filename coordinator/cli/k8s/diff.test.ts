import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { parse, stringify } from "yaml";
import type { ApiServer } from "../../../test/kubernetes/api-server.ts";
import { at, type JsonObject, objectsAt } from "../../../test/kubernetes/json.ts";
import { openCluster, ownName } from "../../../test/kubernetes/open-cluster.ts";
import { FOREIGN_DEFINITIONS } from "../../../test/kubernetes/schema/foreign-definitions.ts";
import { whyNotReal } from "../../../test/kubernetes/which-server.ts";
import { MoestroError } from "../../errors.ts";
import { CHILDREN_OPTIONS } from "../../kubernetes/children/options.ts";
import { clusterWrites } from "../../operator/cluster/cluster-writes.ts";
import { judgeSpec } from "../../operator/judge/judge-spec.ts";
import { seenOf } from "../../operator/reconcile/job-fixture.ts";
import type { ObservedJob } from "../../operator/reconcile/observation.ts";
import { reconcile } from "../../operator/reconcile/reconcile.ts";
import { planSnapshot } from "../plan/plan-snapshot.ts";
import { type DiffOptions, diff } from "./diff.ts";

const path = (name: string) => fileURLToPath(new URL(`../../../${name}`, import.meta.url));
const SAMPLE = parse(readFileSync(path("k8s/samples/quickstart.yaml"), "utf8"));
const CRD = parse(readFileSync(path("k8s/base/crd.yaml"), "utf8"));
const NAMESPACE = ownName("research");
const JOBS = `/apis/moestro.dev/v1alpha1/namespaces/${NAMESPACE}/moetrainingjobs`;
const CHILDREN: readonly (readonly [group: string, plural: string])[] = [
  ["", "serviceaccounts"],
  ["", "services"],
  ["", "configmaps"],
  ["networking.k8s.io", "networkpolicies"],
  ["policy", "poddisruptionbudgets"],
  ["batch", "jobs"],
];

let kube: ApiServer;
let folder: string;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "moestro-diff-"));
  kube = await openCluster({ namespaces: [NAMESPACE] });
  await kube.define(CRD);
});
after(async () => {
  await kube.close();
  rmSync(folder, { recursive: true });
});

/** The quickstart sample by another name, with some of its spec changed, in a file. */
function manifest(name: string, own: JsonObject = {}): string {
  const file = join(folder, `${name}.yaml`);
  const spec = { ...SAMPLE.spec, ...own };
  writeFileSync(file, stringify({ ...SAMPLE, metadata: { name, namespace: NAMESPACE }, spec }));
  return file;
}

const differences = (file: string, options: DiffOptions = {}) =>
  diff(file, { kubeconfig: kube.kubeconfig, ...options });

/** What there is of children, but for what controllers write into it meanwhile. */
async function stored(): Promise<unknown[]> {
  const lists = CHILDREN.map(async ([group, plural]) => {
    const root = group === "" ? "/api" : `/apis/${group}`;
    const { body } = await kube.request("GET", `${root}/v1/namespaces/${NAMESPACE}/${plural}`);
    return objectsAt(body, "items").map(({ metadata, spec, data }) => {
      return [plural, at(metadata, "name"), at(metadata, "generation"), spec, data];
    });
  });
  return (await Promise.all(lists)).flat();
}

/** Applies a job, and does for it what the operator does. */
async function applied(
  name: string,
  own: JsonObject = {},
  installation = CHILDREN_OPTIONS,
): Promise<string> {
  const file = manifest(name, own);
  const made = await kube.request("POST", JOBS, parse(readFileSync(file, "utf8")));
  assert.equal(made.code, 201, JSON.stringify(made.body));
  const job = made.body as unknown as ObservedJob;
  const verdict = await judgeSpec(job, "/", planSnapshot);
  const { actions } = reconcile(seenOf(job, { verdict, installation }));
  for (const action of actions) {
    if (action.kind !== "applyChild") continue;
    const written = await clusterWrites(kube.config).applyChild(action.child, undefined);
    assert.equal(written.kind, "done");
  }
  return file;
}

/** Changes an object as somebody else. */
async function patch(group: string, object: string, content: JsonObject): Promise<void> {
  const merge = { headers: { "content-type": "application/merge-patch+json" } };
  const place = `${group}/namespaces/${NAMESPACE}/${object}`;
  assert.equal((await kube.request("PATCH", place, content, merge)).code, 200);
}

async function refusal(file: string, options: DiffOptions = {}): Promise<[string, string]> {
  try {
    await differences(file, options);
  } catch (error) {
    if (error instanceof MoestroError && error.lines.length === 1) {
      return [error.code, error.message];
    }
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("moestro k8s diff", () => {
  it("of a job that is not there shows all its children, and makes none", async () => {
    const before = await stored();
    const { text, notes } = await differences(manifest("new"));
    const headers = [...text.matchAll(/^--- (.*)\n\+\+\+ (.*)$/gm)].map(([, a, b]) => [a, b]);
    const names = ["ServiceAccount/new-agents", "NetworkPolicy/new-agents", "Service/new-agents"];
    const others = ["ConfigMap/new-plan", "PodDisruptionBudget/new-agents", "Job/new-agents"];
    assert.deepEqual(
      headers,
      [...names, ...others].map((one) => ["/dev/null", `applied/${NAMESPACE}/${one}`]),
    );
    assert.doesNotMatch(text, /^-[^-]/m);
    // As the API server writes it.
    assert.match(text, /^\+ {4}- from:$/m);
    assert.doesNotMatch(text, /managedFields|resourceVersion|^. +uid:|^.status:/m);
    assert.deepEqual(notes, []);
    assert.deepEqual(await stored(), before);
  });

  it("of a job as it is shows nothing, whatever others have added to its children", async () => {
    const file = await applied("same");
    await patch("/api/v1", "services/same-agents", { metadata: { labels: { team: "moe" } } });
    assert.deepEqual(await differences(file), { text: "", notes: [] });
  });

  it("takes the installation for what its children show", async () => {
    const file = await applied(
      "elsewhere",
      {},
      {
        ...CHILDREN_OPTIONS,
        images: { cpu: "registry.example.com/cpu:1", cuda: "registry.example.com/cuda:1" },
        coordinators: ["a.training.svc:7443", "b.training.svc:7443"],
        ...{
          coordinatorNamespace: "training",
          coordinatorPorts: [7443, 7444],
          runsClaim: "shared",
        },
      },
    );
    assert.deepEqual(await differences(file), { text: "", notes: [] });
    const { notes } = await differences(file, { image: "registry.example.com/cpu:2" });
    assert.match(notes[0] ?? "", /its pods would be others/);
  });

  it("shows what a change of the job changes, line by line", async () => {
    await applied("grows");
    const before = await stored();
    const { text, notes } = await differences(manifest("grows", { nodes: { max: 3 } }));
    assert.deepEqual(text.match(/^--- .*$/gm), [
      `--- live/${NAMESPACE}/ConfigMap/grows-plan`,
      `--- live/${NAMESPACE}/PodDisruptionBudget/grows-agents`,
      `--- live/${NAMESPACE}/Job/grows-agents`,
    ]);
    assert.match(text, /^- {2}completions: 2\n\+ {2}completions: 3$/m);
    assert.deepEqual(notes, []);
    assert.deepEqual(await stored(), before);
  });

  it("says of pods that would be others that they stay while there are some", async () => {
    await applied("held");
    const template = { spec: { nodeSelector: { zone: "a" } } };
    assert.deepEqual(await differences(manifest("held", { template })), {
      text: "",
      notes: [
        "Job held-agents: its pods would be others, and stay as they are while there are some; suspend the job and resume it to have them made anew",
      ],
    });
  });

  it("leaves a queue's word alone", async () => {
    const file = await applied("queued", { queueName: "research" });
    assert.deepEqual(await differences(file), { text: "", notes: [] });
    await patch("/apis/batch/v1", "jobs/queued-agents", { spec: { suspend: false } });
    assert.deepEqual(await differences(file), { text: "", notes: [] });
  });

  it("shows what is deleted, and says when another is made", async () => {
    await applied("anew", { queueName: "research" });
    const template = { spec: { nodeSelector: { zone: "a" } } };
    const { text, notes } = await differences(
      manifest("anew", { queueName: "research", template }),
    );
    assert.ok(text.startsWith(`--- live/${NAMESPACE}/Job/anew-agents\n+++ /dev/null\n`), text);
    assert.deepEqual(notes, [
      "Job anew-agents: is deleted; another is made when the job is to run",
    ]);
  });

  it("compares JobSets", async () => {
    const definition = FOREIGN_DEFINITIONS.find(
      ({ spec }) => at(spec, "names", "kind") === "JobSet",
    );
    assert.ok(definition);
    await kube.define(definition);
    const file = await applied("sets", { childKind: "JobSet" });
    assert.deepEqual(await differences(file), { text: "", notes: [] });
    const { text } = await differences(manifest("sets", { childKind: "JobSet", suspend: true }));
    assert.ok(text.includes(`--- live/${NAMESPACE}/JobSet/sets\n`), text);
    assert.match(text, /^- {2}suspend: false\n\+ {2}suspend: true$/m);
  });

  it("compares under another name and namespace, too", async () => {
    await applied("first");
    const { text } = await differences(manifest("second"), { name: "first" });
    assert.equal(text, "");
    const elsewhere = await differences(manifest("first"), { namespace: "default" });
    assert.match(elsewhere.text, /^\+\+\+ applied\/default\/Job\/first-agents$/m);
  });
});

describe("what stands in the way of moestro k8s diff is told in one line", () => {
  it("a namespace that is not there, or an object that is somebody else's", async () => {
    const file = manifest("lost");
    const [code, line] = await refusal(file, { namespace: "nowhere" });
    assert.equal(code, "not_found");
    assert.match(
      line,
      /^ServiceAccount lost-agents: namespaces "nowhere" not found; make it first/,
    );
    const service = {
      ...{ apiVersion: "v1", kind: "Service", metadata: { name: "lost-agents" } },
      spec: { clusterIP: "None", selector: { app: "another" } },
    };
    const services = `/api/v1/namespaces/${NAMESPACE}/services?fieldManager=people`;
    assert.equal((await kube.request("POST", services, service)).code, 201);
    const [inUse, conflict] = await refusal(file);
    assert.equal(inUse, "in_use");
    assert.match(conflict, /^Service lost-agents: is not the job's: .*conflict with "people"/);
  });

  it("a kind, or moestro itself, that the cluster does not have", {
    skip: whyNotReal("can be had twice"),
  }, async () => {
    const bare = await openCluster({ namespaces: [NAMESPACE] });
    const { kubeconfig } = bare;
    const [code, line] = await refusal(manifest("bare"), { kubeconfig });
    assert.equal(code, "environment");
    assert.match(line, /: has no MoETrainingJobs; install moestro there: kubectl apply /);
    await bare.define(CRD);
    const [, without] = await refusal(manifest("set", { childKind: "JobSet" }), { kubeconfig });
    assert.match(without, /: has no JobSet \(jobset\.x-k8s\.io\/v1alpha2\); install what /);
    await bare.close();
  });

  it("no right", async () => {
    const account = { namespace: NAMESPACE, serviceAccount: "nobody" };
    const accounts = `/api/v1/namespaces/${NAMESPACE}/serviceaccounts`;
    await kube.request("POST", accounts, { metadata: { name: "nobody" } });
    const kubeconfig = await kube.kubeconfigFor(account);
    const [code, line] = await refusal(manifest("rights"), { kubeconfig });
    assert.equal(code, "environment");
    assert.match(
      line,
      /: moetrainingjobs.* is forbidden: .*; ask for that right, or use --context/,
    );
  });

  it("no cluster, no context, no file", async () => {
    const file = manifest("unreached");
    const [, context] = await refusal(file, { context: "other" });
    assert.match(context, /^--context other: there is no such context; use moestro-test$/);
    const [, kubeconfig] = await refusal(file, { kubeconfig: join(folder, "none") });
    assert.match(kubeconfig, /none: cannot be read: .*; give the file with --kubeconfig$/);
    const [code, line] = await refusal(file, { kubeconfig: await unreachable() });
    assert.equal(code, "environment");
    assert.match(line, /^https:\/\/127\.0\.0\.1:\d+: no answer: .*ECONNREFUSED.*; look whether /);
  });
});

/** A kubeconfig of a server that has gone. */
async function unreachable(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  const text = readFileSync(kube.kubeconfig, "utf8");
  const file = join(folder, "unreachable.json");
  writeFileSync(file, text.replace(kube.url, `https://127.0.0.1:${port}`));
  return file;
}

describe("the exit code of moestro k8s diff", () => {
  const exit = (file: string, kubeconfig: string) =>
    new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      const args = [path("bin/moestro.mjs"), "k8s", "diff", file, "--kubeconfig", kubeconfig];
      execFile(process.execPath, args, (error, stdout, stderr) =>
        resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
      );
    });

  it("is 0 without differences, 1 with some, and greater for errors", async () => {
    const same = await applied("coded");
    assert.deepEqual(await exit(same, kube.kubeconfig), { code: 0, stdout: "", stderr: "" });
    const other = await exit(manifest("coded", { nodes: { max: 1 } }), kube.kubeconfig);
    assert.equal(other.code, 1);
    assert.match(other.stdout, /^--- live\//);
    assert.equal((await exit(join(folder, "nothing.yaml"), kube.kubeconfig)).code, 2);
    const away = await exit(same, await unreachable());
    assert.equal(away.code, 4);
    assert.match(away.stderr, /^https:.*: no answer: .*\n$/);
  });
});
