import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { pythonExecutable } from "../../coordinator/environment/python.ts";
import { restrictedProblems } from "../../coordinator/kubernetes/children/pod-security.ts";
import type { JsonObject, KubeObject } from "./json.ts";
import { whyNoKubectl } from "./kubectl.ts";
import { jobOf, madeByKustomizations, renderedChildren } from "./manifests-fixture.ts";

const skip = whyNoKubectl() ?? false;
const OLDEST = "1.31";
const VERSIONS = ["1.31", "1.32", "1.33", "1.34", "1.35", "1.36", "1.37"];
/** Kinds of other projects, whose schemas no package carries. */
const UNKNOWN = [
  "jobset.x-k8s.io/v1alpha2 JobSet",
  ...["ClusterQueue", "LocalQueue", "ResourceFlavor"].map(
    (kind) => `kueue.x-k8s.io/v1beta1 ${kind}`,
  ),
  ...["PrometheusRule", "ServiceMonitor"].map((kind) => `monitoring.coreos.com/v1 ${kind}`),
];
const CHECK = fileURLToPath(new URL("schema/validate.py", import.meta.url));

type Found = { version: string; unknown: string[]; problems: string[] }[];

/** One process for all versions: each takes a second. */
function validate(objects: readonly KubeObject[]): Promise<Found> {
  return new Promise((resolve, reject) => {
    const child = execFile(pythonExecutable(), [CHECK, OLDEST], (error, stdout, stderr) =>
      error ? reject(new Error(stderr)) : resolve(JSON.parse(stdout)),
    );
    child.stdin?.end(JSON.stringify(objects));
  });
}

let kustomizations: Map<string, KubeObject[]>;
let children: Map<string, KubeObject[]>;
let jobs: KubeObject[];
before(async () => {
  if (skip !== false) return;
  [kustomizations, children] = await Promise.all([madeByKustomizations(), renderedChildren()]);
  const sets = [...children.values()].flat().filter(({ kind }) => kind === "JobSet");
  jobs = sets.map(jobOf);
});

/** What many kustomizations make is the same. */
function distinct(objects: readonly KubeObject[]): KubeObject[] {
  return [...new Map(objects.map((one) => [JSON.stringify(one), one])).values()];
}

/** The pod of everything that makes pods. */
function podsOf(objects: readonly KubeObject[]): JsonObject[] {
  return objects.flatMap((object) => {
    const made = object.kind === "JobSet" ? jobOf(object) : object;
    const { template } = (made.spec ?? {}) as { template?: { spec?: JsonObject } };
    return template?.spec ? [template.spec] : [];
  });
}

describe("every manifest, and all that jobs become", () => {
  it("is as the schemas of Kubernetes 1.31 to 1.37 say, strictly", { skip }, async () => {
    const objects = [...kustomizations.values(), ...children.values()].flat();
    const found = await validate(distinct([...objects, ...jobs]));
    assert.deepEqual(
      found.map(({ version }) => version),
      VERSIONS,
    );
    for (const { version, unknown, problems } of found) {
      assert.deepEqual(problems, [], version);
      assert.deepEqual(unknown, UNKNOWN, version);
    }
  });

  it("would not be if a field were misspelled or of another type", { skip }, async () => {
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "p" } };
    const containers = [{ name: "c", image: "i" }];
    const found = await validate([
      { ...pod, spec: { containers, hostname: "h" } },
      { ...pod, spec: { containers, hostName: "h" } },
      { ...pod, spec: { containers: [{ name: "c", tty: "yes" }] } },
    ]);
    for (const { problems } of found) {
      assert.equal(problems.length, 2);
      assert.match(problems[0] ?? "", /^Pod p: spec: .*'hostName' was unexpected/);
      assert.match(problems[1] ?? "", /^Pod p: spec\.containers\.0\.tty: 'yes' is not of type/);
    }
  });

  it("has pods of the restricted standard, but for what RDMA takes", { skip }, () => {
    const problems = (made: Map<string, KubeObject[]>) =>
      [...made].map(([what, objects]) => {
        const pods = podsOf(objects);
        assert.ok(pods.length > 0, what);
        return [what, pods.flatMap(restrictedProblems)] as const;
      });
    for (const [what, found] of problems(kustomizations)) assert.deepEqual(found, [], what);
    for (const [what, found] of problems(children)) {
      const exceptions = what === "with RDMA" ? ["container agent adds IPC_LOCK"] : [];
      assert.deepEqual(found, exceptions, what);
    }
  });

  it("runs in namespaces that enforce it, but for the overlay of RDMA", { skip }, () => {
    for (const [folder, objects] of kustomizations) {
      const namespace = objects.find(({ kind }) => kind === "Namespace");
      const level = namespace?.metadata.labels?.["pod-security.kubernetes.io/enforce"];
      assert.equal(level, folder === "overlays/rdma" ? "privileged" : "restricted", folder);
    }
  });
});
