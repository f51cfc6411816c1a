import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse, parseAllDocuments, stringify } from "yaml";
import { render } from "../../coordinator/cli/k8s/render.ts";
import type { JsonObject, KubeObject } from "./json.ts";
import { kustomize } from "./kubectl.ts";

export const MANIFESTS = fileURLToPath(new URL("../../k8s/", import.meta.url));

/** Every folder of a kustomization, below k8s/; "." is what people install. */
export const KUSTOMIZATIONS: readonly string[] = globSync("**/kustomization.yaml", {
  cwd: MANIFESTS,
})
  .map((file) => dirname(file))
  .sort();

export const SAMPLES: readonly string[] = globSync("samples/*.yaml", { cwd: MANIFESTS }).sort();

const read = (file: string): JsonObject => parse(readFileSync(join(MANIFESTS, file), "utf8"));

const QUICKSTART = "samples/quickstart.yaml";
const ON_GPUS = { cluster: { device: "cuda" } };

const LIMITS = {
  ...{ priorityClassName: "high", activeDeadlineSeconds: 60, ttlSecondsAfterFinished: 60 },
};

/** The samples, and what else of a spec makes other children. */
const JOBS: readonly [what: string, sample: string, spec: JsonObject][] = [
  ...SAMPLES.map((sample): [string, string, JsonObject] => [sample, sample, {}]),
  ["on CPUs, as a JobSet", QUICKSTART, { childKind: "JobSet" }],
  ["on GPUs, in a queue", QUICKSTART, { ...ON_GPUS, queueName: "research" }],
  ["suspended, with limits", QUICKSTART, { ...LIMITS, suspend: true }],
  ["with RDMA", QUICKSTART, { ...ON_GPUS, ...read("overlays/rdma/job-template.yaml") }],
];

/** What each kustomization makes, as kubectl makes it. */
export async function madeByKustomizations(): Promise<Map<string, KubeObject[]>> {
  const made = new Map<string, KubeObject[]>();
  for (const folder of KUSTOMIZATIONS) {
    made.set(folder, documents(await kustomize(join(MANIFESTS, folder))));
  }
  return made;
}

/** The children of jobs, as `moestro k8s render` prints them. */
export async function renderedChildren(): Promise<Map<string, KubeObject[]>> {
  const folder = mkdtempSync(join(tmpdir(), "moestro-manifests-"));
  try {
    const made = new Map<string, KubeObject[]>();
    for (const [what, sample, own] of JOBS) {
      const manifest = read(sample);
      const file = join(folder, "job.yaml");
      writeFileSync(
        file,
        stringify({ ...manifest, spec: { ...(manifest.spec as object), ...own } }),
      );
      made.set(what, documents((await render(file)).text));
    }
    return made;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Of YAML that kubectl or moestro printed. */
export function documents(text: string): KubeObject[] {
  return parseAllDocuments(text).map((document) => document.toJS() as KubeObject);
}

/** The job that a JobSet makes, as it makes it. */
export function jobOf({ metadata, spec }: KubeObject): KubeObject {
  const { replicatedJobs } = spec as { replicatedJobs: { template: { spec: JsonObject } }[] };
  const [first] = replicatedJobs;
  return { apiVersion: "batch/v1", kind: "Job", metadata, spec: first?.template.spec ?? {} };
}
