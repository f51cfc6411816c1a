import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { kubernetesSection } from "../crd/kubernetes-section.ts";
import { fixtureSpec } from "../crd/spec-fixture.ts";
import type { MoETrainingJob } from "../moe-training-job.ts";
import { MAX_NODES, NAME_PATTERN } from "../names.ts";
import { childrenOf } from "./children-of.ts";
import { podSelector } from "./identity.ts";
import type { KubernetesObject } from "./kubernetes-object.ts";
import { CHILDREN_OPTIONS, type JobFacts } from "./options.ts";
import { restrictedProblems } from "./pod-security.ts";
import type { PodTemplate } from "./pod-template.ts";

const FACTS: JobFacts = { plan: "{}", isBorn: false };

type Own = Record<string, unknown>;

function jobWith(own: Own = {}, name = "tiny"): MoETrainingJob {
  const { model, data, training, moe, layout, cluster, ...given } = fixtureSpec(own);
  const section = kubernetesSection.parse(given);
  const spec = { model, data, training, moe, layout, cluster, ...section };
  return { metadata: { name, namespace: "research", uid: "0f9c" }, spec };
}

const children = (own: Own = {}, facts: Partial<JobFacts> = {}) =>
  childrenOf(jobWith(own), { ...FACTS, ...facts }, CHILDREN_OPTIONS);

function only(objects: readonly KubernetesObject[], kind: string): KubernetesObject {
  const [found, ...others] = objects.filter((object) => object.kind === kind);
  assert.ok(found && others.length === 0, kind);
  return found;
}

type JobSpec = Own & { completions: number; parallelism: number; template: PodTemplate };

/** The Job's spec, of itself or inside a JobSet. */
function jobSpecOf(objects: readonly KubernetesObject[]): JobSpec {
  const made = objects.find(({ kind }) => kind === "Job" || kind === "JobSet");
  const spec = made?.spec as Own & { replicatedJobs?: { template: { spec: JobSpec } }[] };
  return spec.replicatedJobs?.[0]?.template.spec ?? (spec as JobSpec);
}

const agent = (objects: readonly KubernetesObject[]) =>
  (jobSpecOf(objects).template.spec.containers as Own[]).find(({ name }) => name === "agent") ?? {};

const anyName = fc.stringMatching(new RegExp(NAME_PATTERN));
const anySpec = fc
  .record({
    nodes: fc
      .tuple(fc.integer({ min: 1, max: MAX_NODES }), fc.integer({ min: 1, max: MAX_NODES }))
      .map(([a, b]) => ({ min: Math.min(a, b), max: Math.max(a, b) })),
    gpusPerNode: fc.integer({ min: 1, max: 64 }),
    cluster: fc.constantFrom({}, { device: "cpu" }, { device: "cuda" }, { gpu: "h100" }),
    suspend: fc.boolean(),
    childKind: fc.constantFrom("Job", "JobSet"),
    priorityClassName: fc.constantFrom(undefined, "high"),
    queueName: fc.constantFrom(undefined, "research"),
    ttlSecondsAfterFinished: fc.option(fc.nat(), { nil: undefined }),
    activeDeadlineSeconds: fc.option(fc.integer({ min: 1, max: 1e9 }), { nil: undefined }),
    template: fc.constantFrom(
      undefined,
      { metadata: { labels: { team: "moe" }, annotations: { note: "x" } } },
      { spec: { nodeSelector: { gpu: "h100" }, tolerations: [{ operator: "Exists" }] } },
      { spec: { containers: [{ name: "agent", env: [{ name: "A", value: "b" }] }] } },
    ),
  })
  .map((own) => Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined)));

/** The longest that Kubernetes calls a pod of the job, and its host. */
function longestPodName({ kind, metadata, spec }: KubernetesObject): string {
  const { completions } = jobSpecOf([{ apiVersion: "", kind, metadata, spec }]);
  const job = kind === "JobSet" ? `${metadata.name}-agents-0` : metadata.name;
  return `${job}-${completions - 1}`;
}

describe("the children of any spec", () => {
  it("agree on names, labels and selectors", () =>
    fc.assert(
      fc.property(anyName, anySpec, (name, own) => {
        const job = jobWith(own, name);
        const made = childrenOf(job, FACTS, CHILDREN_OPTIONS);
        const { labels } = jobSpecOf(made).template.metadata;
        for (const [key, value] of Object.entries(podSelector(job))) {
          assert.equal(labels[key], value);
        }
        for (const { kind, metadata } of made) {
          assert.ok(metadata.name.length <= 63, metadata.name);
          assert.match(metadata.name, /^[a-z]([a-z0-9-]*[a-z0-9])?$/);
          assert.equal(metadata.namespace, "research", kind);
          assert.deepEqual(
            metadata.ownerReferences?.map(({ name, uid, controller }) => [name, uid, controller]),
            [[name, "0f9c", true]],
          );
          for (const value of Object.values(metadata.labels ?? {})) {
            assert.match(value, /^[a-zA-Z0-9]([\w.-]{0,61}[a-zA-Z0-9])?$/);
          }
        }
        const account = only(made, "ServiceAccount").metadata.name;
        const service = only(made, "Service");
        const pod = jobSpecOf(made).template.spec;
        assert.deepEqual([pod.serviceAccountName, pod.subdomain], [account, service.metadata.name]);
        for (const kind of ["NetworkPolicy", "PodDisruptionBudget"]) {
          assert.match(JSON.stringify(only(made, kind).spec), new RegExp(`"${name}"`));
        }
        const pods = made.find(({ kind }) => kind.startsWith("Job"));
        assert.ok(pods && longestPodName(pods).length <= 63 - "-xxxxx".length);
      }),
    ));

  it("are of the restricted standard unless the template says otherwise", () =>
    fc.assert(
      fc.property(anySpec, (own) => {
        const pod = jobSpecOf(children(own)).template.spec;
        assert.deepEqual(restrictedProblems(pod), []);
        assert.equal(pod.automountServiceAccountToken, false);
      }),
    ));

  it("have one pod a node, as many as are wanted now", () =>
    fc.assert(
      fc.property(anySpec, fc.option(fc.integer({ min: 1, max: 9 })), (own, now) => {
        const made = children(own, now === null ? {} : { nodes: now });
        const { completions, parallelism, completionMode } = jobSpecOf(made);
        const nodes = now ?? (own as { nodes: { max: number } }).nodes.max;
        assert.deepEqual([completions, parallelism, completionMode], [nodes, nodes, "Indexed"]);
        const { minAvailable } = only(made, "PodDisruptionBudget").spec as { minAvailable: number };
        assert.equal(minAvailable, nodes - 1);
      }),
    ));

  it("are the same each time, and are plain JSON", () =>
    fc.assert(
      fc.property(anySpec, (own) => {
        const made = children(own);
        assert.deepEqual(children(own), made);
        assert.deepEqual(JSON.parse(JSON.stringify(made)), made);
      }),
    ));
});

describe("the agents' pods", () => {
  it("ask for GPUs, and on CPUs for none", () => {
    const onGpus = agent(children({ cluster: {}, gpusPerNode: 8 }));
    assert.deepEqual(onGpus.resources, {
      requests: { cpu: "8", memory: "16Gi", "nvidia.com/gpu": 8 },
      limits: { "nvidia.com/gpu": 8 },
    });
    assert.equal(onGpus.image, CHILDREN_OPTIONS.images.cuda);
    const onCpus = agent(children({ cluster: { device: "cpu" } }));
    assert.doesNotMatch(JSON.stringify(onCpus.resources), /nvidia/);
    assert.equal(onCpus.image, CHILDREN_OPTIONS.images.cpu);
  });

  it("carry a token for moestro alone, and none of the cluster's", () => {
    const { spec } = jobSpecOf(children()).template;
    const token = (spec.volumes as Own[]).find(({ name }) => name === "token");
    assert.deepEqual(token?.projected, {
      sources: [
        { serviceAccountToken: { audience: "moestro", path: "token", expirationSeconds: 3600 } },
        { configMap: { name: "moestro-authority", items: [{ key: "ca.crt", path: "ca.crt" }] } },
      ],
    });
    assert.equal(only(children(), "ServiceAccount").automountServiceAccountToken, false);
  });

  it("mount their own run's folder alone to be written, of a Job and of a JobSet", () => {
    const template = {
      spec: {
        containers: [
          { name: "agent", volumeMounts: [{ mountPath: "/runs/tiny-0f9c", subPath: "other" }] },
        ],
      },
    };
    const writable = (own: Own) =>
      (agent(children(own)).volumeMounts as Own[])
        .filter(({ name, readOnly }) => name === "runs" && readOnly !== true)
        .map(({ subPath }) => subPath);
    for (const childKind of ["Job", "JobSet"]) {
      assert.deepEqual(writable({ childKind }), ["tiny-0f9c"]);
      assert.deepEqual(writable({ childKind, template }), []);
    }
  });

  it("reach their own, the coordinators and DNS, and are reached by their own", () => {
    const { ingress, egress, policyTypes } = only(children(), "NetworkPolicy").spec as Own & {
      egress: { to: Own[]; ports?: { port: number }[] }[];
    };
    const own = [{ podSelector: { matchLabels: podSelector(jobWith()) } }];
    assert.deepEqual(policyTypes, ["Ingress", "Egress"]);
    assert.deepEqual(ingress, [{ from: own }]);
    assert.deepEqual(egress[0], { to: own });
    assert.deepEqual(
      egress.slice(1).map(({ ports }) => ports?.map(({ port }) => port)),
      [
        [7070, 7071],
        [53, 53],
      ],
    );
    assert.deepEqual(egress[2]?.to, [
      { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "kube-system" } } },
      // Of NodeLocal DNSCache.
      { ipBlock: { cidr: "169.254.20.10/32" } },
    ]);
  });

  it("are not held against the job when the cluster takes them, and end it when told wrongly", () => {
    const { podFailurePolicy, backoffLimit, podReplacementPolicy } = jobSpecOf(children());
    assert.deepEqual((podFailurePolicy as { rules: Own[] }).rules, [
      { action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] },
      {
        action: "FailJob",
        onExitCodes: { containerName: "agent", operator: "In", values: [2] },
      },
    ]);
    assert.deepEqual([backoffLimit, podReplacementPolicy], [2_147_483_647, "Failed"]);
  });

  it("have their ranks go elsewhere within the grace that the template gives", () => {
    const leaving = (spec: Own) =>
      (agent(children({ template: { spec } })).args as string[]).filter((one) =>
        one.startsWith("--leave-seconds="),
      );
    assert.deepEqual(leaving({}), ["--leave-seconds=70"]);
    assert.deepEqual(leaving({ terminationGracePeriodSeconds: 600 }), ["--leave-seconds=580"]);
    assert.deepEqual(leaving({ terminationGracePeriodSeconds: 5 }), ["--leave-seconds=0"]);
  });

  it("take what the template says", () => {
    const made = children({
      template: {
        metadata: { labels: { team: "moe" } },
        spec: {
          volumes: [{ name: "runs", nfs: { server: "files", path: "/runs" } }],
          containers: [
            { name: "agent", resources: { limits: { "rdma/hca": 8 } } },
            { name: "sidecar", image: "x" },
          ],
        },
      },
    });
    const { metadata, spec } = jobSpecOf(made).template;
    assert.equal(metadata.labels.team, "moe");
    const runs = (spec.volumes as Own[]).find(({ name }) => name === "runs");
    assert.deepEqual(runs, { name: "runs", nfs: { server: "files", path: "/runs" } });
    assert.deepEqual(restrictedProblems(spec), [
      "volume runs is of a kind that the standard does not have",
      "container sidecar may gain privileges",
      "container sidecar does not drop all capabilities",
    ]);
    assert.match(JSON.stringify(agent(made).resources), /"rdma\/hca":8/);
  });
});

describe("whether the pods' job is suspended", () => {
  const suspend = (own: Own, isBorn: boolean) => {
    const made = children(own, { isBorn });
    return (made.at(-1)?.spec as Own | undefined)?.suspend;
  };

  it("is what the person says", () => {
    assert.equal(suspend({ suspend: false }, true), false);
    assert.equal(suspend({ suspend: true }, true), true);
  });

  it("is the queue's to say once it is made, and until then it is", () => {
    for (const childKind of ["Job", "JobSet"]) {
      assert.equal(suspend({ childKind, queueName: "q" }, false), true);
      assert.equal(suspend({ childKind, queueName: "q" }, true), undefined);
      assert.equal(suspend({ childKind, queueName: "q", suspend: true }, true), true);
    }
  });

  it("goes with the queue's label", () => {
    const labels = children({ queueName: "research" }).at(-1)?.metadata.labels ?? {};
    assert.equal(labels["kueue.x-k8s.io/queue-name"], "research");
  });
});
