import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { parse, parseAllDocuments, stringify } from "yaml";
import { MoestroError } from "../../errors.ts";
import { customResourceDefinition } from "../../kubernetes/crd/custom-resource-definition.ts";
import { valueProblems } from "../../kubernetes/crd/structural-problems.ts";
import { render } from "./render.ts";

const path = (relative: string) => fileURLToPath(new URL(`../../../${relative}`, import.meta.url));
const SPEC = customResourceDefinition().spec.versions[0]?.schema.openAPIV3Schema.properties?.spec;

type Pods = { metadata: { name: string }; spec: Record<string, unknown> };

async function rendered(file: string) {
  const { text, notes } = await render(file);
  const children = parseAllDocuments(text).map((document) => document.toJS());
  const plan = children.find(({ kind }) => kind === "ConfigMap").data["plan.json"];
  return { notes, children, plan: JSON.parse(plan), pods: children.at(-1) as Pods };
}

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "moestro-k8s-"));
});
after(() => rmSync(folder, { recursive: true }));

/** A sample with some of its spec changed, in a file. */
function changed(sample: string, changes: Record<string, unknown>): string {
  const manifest = parse(readFileSync(path(`k8s/samples/${sample}.yaml`), "utf8"));
  const file = join(folder, "job.yaml");
  writeFileSync(file, stringify({ ...manifest, spec: { ...manifest.spec, ...changes } }));
  return file;
}

async function lines(file: string): Promise<string[]> {
  try {
    await render(file);
  } catch (error) {
    if (error instanceof MoestroError) {
      return error.lines.map((line) => line.replace(`${folder}/`, ""));
    }
    throw error;
  }
  return [];
}

describe("the samples", () => {
  const cases: Record<string, [numPods: number, gpus: number, child: string]> = {
    quickstart: [2, 4, "quickstart-agents"],
    "mixtral-8x7b-h100": [2, 16, "mixtral-8x7b-agents"],
    "skywork-moe-146b-a800": [192, 1536, "skywork-moe-146b"],
  };
  for (const [sample, [numPods, ranks, name]] of Object.entries(cases)) {
    it(`${sample} is planned and rendered`, async () => {
      const file = path(`k8s/samples/${sample}.yaml`);
      assert.ok(SPEC);
      assert.deepEqual(valueProblems(parse(readFileSync(file, "utf8")).spec, SPEC, "spec"), []);
      const { notes, children, plan, pods } = await rendered(file);
      assert.deepEqual(notes, []);
      assert.equal(children.length, 6);
      assert.equal(pods.metadata.name, name);
      assert.match(JSON.stringify(pods.spec), new RegExp(`"completions":${numPods},`));
      assert.equal(plan.worldSize ?? plan.cluster.gpus, ranks);
    });
  }

  it("ask Kueue where they name a queue, and are made suspended there", async () => {
    const { pods } = await rendered(path("k8s/samples/skywork-moe-146b-a800.yaml"));
    assert.equal(pods.spec.suspend, true);
  });
});

describe("moestro k8s render", () => {
  it("takes a job file as one node with all its ranks, or by another name", async () => {
    const { pods } = await rendered(path("examples/quickstart.yaml"));
    assert.match(JSON.stringify(pods.spec), /"completions":1,.*--slots=4/);
    const { text } = await render(path("examples/quickstart.yaml"), {
      ...{ name: "other", namespace: "research", image: "registry/worker:1" },
    });
    assert.match(text, /name: other-agents\n {2}namespace: research/);
    assert.match(text, /image: registry\/worker:1/);
  });

  it("says what a template takes away from the restricted standard", async () => {
    const rdma = parse(readFileSync(path("k8s/overlays/rdma/job-template.yaml"), "utf8"));
    const { notes, pods } = await rendered(changed("quickstart", rdma));
    assert.deepEqual(
      notes.map((note) => note.replace(`${folder}/`, "")),
      [
        "job.yaml: spec.template: container agent adds IPC_LOCK; a namespace of the restricted standard refuses such pods",
      ],
    );
    assert.match(JSON.stringify(pods.spec), /"drop":\["ALL"\],"add":\["IPC_LOCK"\]/);
  });

  const mistakes: Record<string, [Record<string, unknown>, RegExp]> = {
    "a layout that no number of ranks allows": [
      { layout: { tensorParallel: 3 } },
      /^job\.yaml:\d+:\d+: spec\.layout\.tensorParallel: 3 does not divide 4 attention heads; /,
    ],
    "a template that is not a pod's": [
      { template: { containers: [] } },
      /^job\.yaml:\d+:\d+: spec\.template\.containers: unknown key; /,
    ],
    "too few ranks for the layout": [
      { layout: { pipelineParallel: 2 }, nodes: { max: 3 }, gpusPerNode: 1 },
      /^job\.yaml:\d+:\d+: spec\.layout\.pipelineParallel: 2 .* 3 ranks \(nodes × gpusPerNode\); /,
    ],
  };
  for (const [what, [changes, wanted]] of Object.entries(mistakes)) {
    it(`refuses ${what} in one line, where it is written`, async () => {
      const [line = "", ...others] = await lines(changed("quickstart", changes));
      assert.match(line, wanted);
      assert.deepEqual(others, []);
    });
  }

  it("refuses a job file that no cluster of Kubernetes can have", async () => {
    const file = join(folder, "plain.yaml");
    const job = parse(readFileSync(path("examples/quickstart.yaml"), "utf8"));
    const batch = { globalBatchSize: 4096, microBatchSize: 1 };
    const cases: [Record<string, unknown>, RegExp][] = [
      [{ cluster: { file: "h100.yaml" } }, /: cluster\.file: is a file of this machine; give /],
      [
        { training: { ...job.training, ...batch }, layout: {}, cluster: { ranks: 2048 } },
        /: cluster: 2048 ranks on each of 1 nodes; use /,
      ],
      [{ name: "1st" }, /: name: "1st" does not fit; a name begins with a lower-case letter, /],
      [
        { model: { preset: "deepseek-v2-lite" }, moe: {}, layout: {} },
        /: model\.latentAttention: .* but moestro train does not$/,
      ],
    ];
    for (const [changes, wanted] of cases) {
      writeFileSync(file, stringify({ ...job, ...changes }));
      const [line = "", ...others] = await lines(file);
      assert.match(line, wanted);
      assert.deepEqual(others, []);
    }
  });

  it("refuses another kind, and a name that pods cannot have", async () => {
    const file = join(folder, "other.yaml");
    writeFileSync(file, "apiVersion: v1\nkind: Pod\nmetadata: {name: Big}\n");
    assert.deepEqual(await lines(file), [
      "other.yaml:1:13: apiVersion: v1 is not known here; use moestro.dev/v1alpha1",
      "other.yaml:2:7: kind: Pod is not known here; use MoETrainingJob",
      'other.yaml:3:18: metadata.name: "Big" does not fit; a name begins with a lower-case letter, then lower-case letters, digits and inner hyphens, at most 43 in all; give another, or --name',
    ]);
  });
});
