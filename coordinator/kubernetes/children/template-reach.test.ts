import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { parse, parseAllDocuments } from "yaml";
import { templateProblems } from "./template-problems.ts";
import { RESERVED_CLAIMS, RESERVED_SECRETS } from "./template-reach.ts";

const linesOf = (spec: unknown) =>
  templateProblems({ spec }).map(({ path, message }) => `${path.slice(2).join(".")}: ${message}`);
const volume = (source: object) => ({ volumes: [{ name: "x", ...source }] });
const agent = (own: object) => ({ containers: [{ name: "agent", ...own }] });
const variable = (valueFrom: object) => agent({ env: [{ name: "A", valueFrom }] });
const STATE = "claim moestro-state is the coordinator's alone; use one of your own";
const REDIS = "secret moestro-redis is the coordinator's alone; use one of your own";
const NODE = "reaches the node and all that runs there; remove it";
const TOKEN = "gives the pod a token of the cluster's API; jobs have none, remove it";
const secretRef = { name: "moestro-redis" };

describe("a template that reaches beyond its job is refused", () => {
  const cases: Record<string, [spec: object, line: string]> = {
    "by the coordinator's claim": [
      volume({ persistentVolumeClaim: { claimName: "moestro-state" } }),
      `spec.volumes.0.persistentVolumeClaim.claimName: ${STATE}`,
    ],
    "by a copy of it": [
      volume({
        ephemeral: {
          volumeClaimTemplate: {
            spec: { dataSource: { kind: "PersistentVolumeClaim", name: "moestro-state" } },
          },
        },
      }),
      `spec.volumes.0.ephemeral.volumeClaimTemplate.spec.dataSource: ${STATE}`,
    ],
    "by the claim of the runs, which every job has": [
      volume({ persistentVolumeClaim: { claimName: "moestro-runs" } }),
      "spec.volumes.0.persistentVolumeClaim.claimName: claim moestro-runs is mounted by every job already, to be read; remove it",
    ],
    "by the secret of Redis as a volume": [
      volume({ secret: { secretName: "moestro-redis" } }),
      `spec.volumes.0.secret.secretName: ${REDIS}`,
    ],
    "by it among others in a volume": [
      volume({ projected: { sources: [{ secret: secretRef }] } }),
      `spec.volumes.0.projected.sources.0.secret: ${REDIS}`,
    ],
    "by it through a driver": [
      volume({ csi: { driver: "x", nodePublishSecretRef: secretRef } }),
      `spec.volumes.0.csi.nodePublishSecretRef: ${REDIS}`,
    ],
    "by it as a variable": [
      variable({ secretKeyRef: { ...secretRef, key: "url" } }),
      `spec.containers.0.env.0.valueFrom.secretKeyRef: ${REDIS}`,
    ],
    "by it as all variables, of a container that comes first": [
      { initContainers: [{ name: "x", envFrom: [{ secretRef }] }] },
      `spec.initContainers.0.envFrom.0.secretRef: ${REDIS}`,
    ],
    "by a folder of the node": [
      volume({ hostPath: { path: "/" } }),
      `spec.volumes.0.hostPath: ${NODE}`,
    ],
    "by the node's network": [{ hostNetwork: true }, `spec.hostNetwork: ${NODE}`],
    "by a port of the node": [
      agent({ ports: [{ containerPort: 80, hostPort: 80 }] }),
      `spec.containers.0.ports.0.hostPort: ${NODE}`,
    ],
    "by all rights of the node": [
      agent({ securityContext: { privileged: true } }),
      `spec.containers.0.securityContext.privileged: ${NODE}`,
    ],
    "by a capability": [
      agent({ securityContext: { capabilities: { add: ["IPC_LOCK", "SYS_ADMIN"] } } }),
      "spec.containers.0.securityContext.capabilities: adds SYS_ADMIN; jobs may add IPC_LOCK and NET_BIND_SERVICE, remove the others",
    ],
    "by a token of the API": [
      volume({ projected: { sources: [{ serviceAccountToken: { path: "t" } }] } }),
      `spec.volumes.0.projected.sources.0.serviceAccountToken: ${TOKEN}`,
    ],
    "by a token that comes by itself": [
      { automountServiceAccountToken: true },
      `spec.automountServiceAccountToken: ${TOKEN}`,
    ],
    "by the older name of an account": [
      { serviceAccount: "moestro-coordinator" },
      `spec.serviceAccount: ${TOKEN}`,
    ],
  };
  for (const [what, [spec, line]] of Object.entries(cases)) {
    it(what, () => assert.deepEqual(linesOf(spec), [line]));
  }
});

it("a template may use claims and secrets of its own, and take what RDMA takes", () => {
  const own = [
    volume({ persistentVolumeClaim: { claimName: "my-data" } }),
    variable({ secretKeyRef: { name: "my-key", key: "k" } }),
    { hostNetwork: false, automountServiceAccountToken: false },
    agent({ ports: [{ containerPort: 80, hostPort: 0 }], securityContext: null }),
  ];
  for (const spec of own) assert.deepEqual(linesOf(spec), []);
  const { template } = parse(read("overlays/rdma/job-template.yaml"));
  assert.deepEqual(linesOf(template.spec), []);
});

it("what is reserved is what the manifests keep for the coordinator", () => {
  const claims = parseAllDocuments(read("base/volumes.yaml")).map(
    (document) => document.toJS().metadata.name,
  );
  const [, set] = parseAllDocuments(read("base/store.yaml")).map((document) => document.toJS());
  const [data] = set.spec.volumeClaimTemplates;
  const ofTheStore = `${data.metadata.name}-${set.metadata.name}-0`;
  // Every job mounts the runs.
  const kept = [...claims.filter((name) => name !== "moestro-runs"), ofTheStore];
  assert.deepEqual(kept, RESERVED_CLAIMS);
  const secrets = read("overlays/ha-external-redis/coordinator.yaml").match(/(?<=name: ).*redis$/m);
  assert.deepEqual([...(secrets ?? [])], RESERVED_SECRETS);
});

function read(file: string): string {
  return readFileSync(new URL(`../../../k8s/${file}`, import.meta.url), "utf8");
}
