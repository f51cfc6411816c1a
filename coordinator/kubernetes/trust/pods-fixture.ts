import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { KubeConfig } from "@kubernetes/client-node";
import { parse } from "yaml";
import type { Json, JsonObject } from "../../../test/kubernetes/json.ts";
import {
  type StartOptions,
  startCluster,
  type TestCluster,
} from "../../../test/kubernetes/start.ts";
import { TOKEN_AUDIENCE } from "../children/agent-container.ts";
import { agentsName } from "../children/identity.ts";
import { CHILDREN_OPTIONS } from "../children/options.ts";
import { podTemplate } from "../children/pod-template.ts";
import { serviceAccount } from "../children/surroundings.ts";
import { kubernetesSection } from "../crd/kubernetes-section.ts";
import { fixtureSpec } from "../crd/spec-fixture.ts";
import type { MoETrainingJob } from "../moe-training-job.ts";
import { API_VERSION, KIND, PLURAL } from "../names.ts";

export const NAMESPACE = "research";
export const OTHER_NAMESPACE = "elsewhere";
const CRD = fileURLToPath(new URL("../../../k8s/base/crd.yaml", import.meta.url));
const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/** A job as the API server has it, and as children are made from it. */
export type MadeJob = MoETrainingJob & {
  metadata: { name: string; namespace: string; uid: string };
};
export type MadePod = { name: string; uid: string };

/** A cluster whose MoETrainingJobs have service accounts, and pods by name. */
export class PodsFixture {
  readonly kube: TestCluster;
  readonly config = new KubeConfig();

  private constructor(kube: TestCluster) {
    this.kube = kube;
    this.config.loadFromFile(kube.kubeconfig);
  }

  static async start(options: StartOptions = {}): Promise<PodsFixture> {
    const kube = await startCluster({ namespaces: [NAMESPACE, OTHER_NAMESPACE], ...options });
    const fixture = new PodsFixture(kube);
    await fixture.post(CRDS, parse(readFileSync(CRD, "utf8")));
    return fixture;
  }

  /** A job with the service account that the operator makes for it. */
  async job(
    name: string,
    namespace = NAMESPACE,
    changes: Record<string, unknown> = {},
  ): Promise<MadeJob> {
    const spec = fixtureSpec(changes);
    const path = `/apis/${API_VERSION}/namespaces/${namespace}/${PLURAL}`;
    const made = { apiVersion: API_VERSION, kind: KIND, metadata: { name }, spec };
    const uid = await this.post(path, made);
    const { model, data, training, moe, layout, cluster, ...own } = spec;
    const section = kubernetesSection.parse(own);
    const job: MadeJob = {
      metadata: { name, namespace, uid },
      spec: { model, data, training, moe, layout, cluster, ...section },
    };
    await this.post(pathOf(namespace, "serviceaccounts"), serviceAccount(job));
    return job;
  }

  /** A pod of the job's agents, changed as a template might; it stays pending without nodes. */
  async pod(
    job: MadeJob,
    name: string,
    changes: { labels?: Record<string, string>; spec?: JsonObject } = {},
  ): Promise<MadePod> {
    const { metadata, spec } = podTemplate(job, CHILDREN_OPTIONS);
    const uid = await this.post(pathOf(job.metadata.namespace, "pods"), {
      metadata: { name, labels: changes.labels ?? metadata.labels },
      spec: { ...spec, ...changes.spec },
    });
    return { name, uid };
  }

  /** At once, as if its grace period were over. */
  async remove(resource: string, name: string, namespace = NAMESPACE): Promise<void> {
    const path = `${pathOf(namespace, resource)}/${name}?gracePeriodSeconds=0`;
    const { code, body } = await this.kube.request("DELETE", path);
    assert.equal(code, 200, JSON.stringify(body));
  }

  /** The token that a pod has mounted. */
  tokenOf(
    job: MadeJob,
    pod: MadePod | undefined,
    { audience = TOKEN_AUDIENCE, account = agentsName(job) } = {},
  ): string {
    return this.kube.tokenFor({
      ...{ namespace: job.metadata.namespace, serviceAccount: account, audiences: [audience] },
      ...(pod ? { pod } : {}),
    });
  }

  close(): Promise<void> {
    return this.kube.close();
  }

  /** Returns the uid. */
  async post(path: string, object: unknown): Promise<string> {
    const { code, body } = await this.kube.request("POST", path, object as Json);
    assert.equal(code, 201, JSON.stringify(body));
    return (body as { metadata: { uid: string } }).metadata.uid;
  }
}

export function pathOf(namespace: string, plural: string): string {
  return `/api/v1/namespaces/${namespace}/${plural}`;
}
