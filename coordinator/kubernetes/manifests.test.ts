import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { parse, parseAllDocuments } from "yaml";
import { operatorCommand } from "../cli/operator.ts";
import { Metrics } from "../observability/metrics.ts";
import { isMapping } from "../spec/mapping.ts";
import { CHILDREN_OPTIONS } from "./children/options.ts";

const ROOT = fileURLToPath(new URL("../../k8s/", import.meta.url));
type Mapping = Record<string, unknown>;
type Kustomization = {
  resources?: string[];
  patches?: { path?: string }[];
  configMapGenerator?: { files?: string[]; literals?: string[] }[];
};

const read = (file: string) => readFileSync(join(ROOT, file), "utf8");
const files = globSync("**/*.yaml", { cwd: ROOT })
  .map((file) => file.toString())
  .sort();
const kustomizations = files.filter((file) => file.endsWith("kustomization.yaml"));

function documents(file: string): Mapping[] {
  return parseAllDocuments(read(file), { uniqueKeys: true }).map((document) => {
    assert.deepEqual(document.errors, [], file);
    return document.toJS();
  });
}

const base = files.filter((file) => file.startsWith("base/")).flatMap(documents);

/** Of the agents, as the coordinator is told. */
const agentImages = (parse(read("base/kustomization.yaml")) as Kustomization).configMapGenerator
  ?.flatMap(({ literals = [] }) => literals)
  .map((literal) => literal.split("=") as [key: string, image: string]);

/** What a kustomization reads: every path it names, relative to k8s/. */
function namedBy(file: string): string[] {
  const {
    resources = [],
    patches = [],
    configMapGenerator = [],
  } = parse(read(file)) as Kustomization;
  const named = [
    ...resources,
    ...patches.flatMap(({ path }) => path ?? []),
    ...configMapGenerator.flatMap(({ files = [] }) => files.map((one) => one.replace(/^.*=/, ""))),
  ];
  return named.map((one) => normalize(join(dirname(file), one)));
}

/** The pod of everything that makes pods. */
function podsOf(object: Mapping): Mapping[] {
  const { template } = (object.spec ?? {}) as { template?: { spec?: Mapping } };
  return template?.spec ? [template.spec] : [];
}

describe("the manifests", () => {
  it("parse, and say what they are", () => {
    assert.ok(files.length > 20);
    for (const file of files.filter((one) => !one.endsWith("job-template.yaml"))) {
      for (const { apiVersion, kind } of documents(file)) {
        assert.ok(typeof apiVersion === "string" && typeof kind === "string", file);
      }
    }
  });

  it("name each other, and leave none out", () => {
    const named = kustomizations.flatMap((file) =>
      namedBy(file).map((one) => [file, one] as const),
    );
    for (const [file, one] of named) {
      assert.ok(existsSync(join(ROOT, one)), `${file} names ${one}, which does not exist`);
    }
    const known = new Set(named.map(([, one]) => one));
    const unnamed = files.filter(
      (file) =>
        !known.has(file) && !file.endsWith("kustomization.yaml") && !file.startsWith("samples/"),
    );
    // What people put into their jobs.
    assert.deepEqual(unnamed, ["overlays/rdma/job-template.yaml"]);
  });

  it("run pods each with limits, and mount the cluster's token in the coordinator alone", () => {
    const pods = base.flatMap(podsOf);
    assert.equal(pods.length, 2);
    const withToken = pods.filter((pod) => JSON.stringify(pod).includes('"serviceAccountToken"'));
    assert.deepEqual(
      withToken.map(({ serviceAccountName }) => serviceAccountName),
      ["moestro-coordinator"],
    );
    for (const pod of pods) {
      assert.equal(pod.automountServiceAccountToken, false);
      const containers = pod.containers as { resources?: { limits?: unknown } }[];
      for (const { resources } of containers) assert.ok(resources?.limits);
    }
  });

  it("give no right outside the namespace but to ask whose a token is, and none to secrets", () => {
    const all = files.filter((file) => !file.startsWith("samples/")).flatMap(documents);
    const rulesOf = (role: string) =>
      all
        .filter(({ kind }) => kind === role)
        .flatMap(({ rules }) => rules as { resources: string[]; verbs: string[] }[]);
    assert.deepEqual(rulesOf("ClusterRole"), [
      {
        ...{ apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"] },
        verbs: ["create"],
      },
    ]);
    const rules = rulesOf("Role");
    assert.ok(rules.length > 5);
    for (const { resources, verbs } of rules) {
      assert.ok(!resources.some((one) => /^secrets|\*/.test(one)));
      assert.ok(!verbs.includes("*"));
    }
  });

  it("pin every image", () => {
    const images = [...JSON.stringify(base).matchAll(/"image":"([^"]+)"/g)].map(([, one]) => one);
    const froms = globSync("docker/*.Dockerfile", { cwd: ROOT }).flatMap((file) =>
      [...read(file.toString()).matchAll(/^FROM (\S+:\S+)/gm)].map(([, one]) => one),
    );
    assert.ok(images.length > 1 && froms.length > 3);
    const ofAgents = agentImages?.map(([, image]) => image) ?? [];
    for (const image of [...images, ...ofAgents, ...froms])
      assert.match(image ?? "", /:\d+\.\d+\.\d+/);
  });

  it("are what children are made for", () => {
    const called = (kind: string) =>
      base.filter((one) => one.kind === kind).map(({ metadata }) => (metadata as Mapping).name);
    assert.deepEqual(called("Namespace"), [CHILDREN_OPTIONS.coordinatorNamespace]);
    assert.ok(called("PersistentVolumeClaim").includes(CHILDREN_OPTIONS.runsClaim));
    const service = base.find(({ kind, metadata }) => kind === "Service" && isCalled(metadata));
    const { ports: offered = [] } = (service?.spec ?? {}) as { ports?: { port: number }[] };
    const ports = offered.map(({ port }) => port);
    for (const port of CHILDREN_OPTIONS.coordinatorPorts) assert.ok(ports.includes(port));
    const { coordinators, coordinatorNamespace, runsPath, runsClaim } = CHILDREN_OPTIONS;
    const text = JSON.stringify(base).replaceAll("$(POD_NAMESPACE)", coordinatorNamespace);
    assert.ok(text.includes(`"--coordinators=${coordinators.join(",")}"`));
    assert.ok(text.includes(`"--runs-dir=${runsPath}","--runs-claim=${runsClaim}"`));
    assert.deepEqual(Object.fromEntries(agentImages ?? []), CHILDREN_OPTIONS.images);
    for (const image of Object.values(CHILDREN_OPTIONS.images)) {
      assert.ok(read("docker/worker.Dockerfile").includes(`-t ${image} `), image);
    }
  });

  it("give the coordinator only options that it has", () => {
    const [coordinator] = base.filter(({ kind }) => kind === "Deployment").flatMap(podsOf);
    const { containers = [] } = (coordinator ?? {}) as { containers?: { args?: string[] }[] };
    const [name, ...given] = containers[0]?.args ?? [];
    assert.equal(name, operatorCommand().name());
    const known = operatorCommand().options.map(({ long }) => long);
    assert.ok(given.length > 5);
    for (const option of given) assert.ok(known.includes(option.replace(/=.*/, "")), option);
  });

  it("show and watch only metrics that a coordinator has", async () => {
    const metrics = new Metrics();
    metrics.observeOperator(() => ({ leads: true, watchAgeSeconds: 0 }));
    const known = new Set(
      [...(await metrics.render()).matchAll(/^# TYPE (\S+) (\S+)/gm)].flatMap(
        ([, name = "", type]) =>
          type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
      ),
    );
    const folder = "overlays/prometheus";
    const expressions = [
      ...read(`${folder}/alerts.yaml`).matchAll(/expr: (.*)/g),
      ...read(`${folder}/dashboard.json`).matchAll(/"expr": "(.*)"/g),
    ].flatMap(([, text = ""]) => text.match(/moestro_\w+/g) ?? []);
    assert.ok(expressions.length > 20);
    for (const name of expressions) assert.ok(known.has(name), `${name} is no metric`);
    const dashboard = JSON.parse(read(`${folder}/dashboard.json`));
    assert.ok(isMapping(dashboard) && dashboard.panels);
  });

  it("belong to a kustomization in every folder but the samples'", () => {
    const folders = new Set(files.map((file) => dirname(file)));
    const without = [...folders].filter(
      (one) => !existsSync(join(ROOT, one, "kustomization.yaml")),
    );
    assert.deepEqual(
      without.map((one) => relative(".", one)),
      ["samples"],
    );
  });
});

const isCalled = (metadata: unknown) => isMapping(metadata) && metadata.name === "moestro";
