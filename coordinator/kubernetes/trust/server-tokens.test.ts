import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, it } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import type { ApiServer } from "../../../test/kubernetes/api-server.ts";
import type { Json, JsonObject } from "../../../test/kubernetes/json.ts";
import { openCluster, ownName } from "../../../test/kubernetes/open-cluster.ts";
import { TOKEN_AUDIENCE } from "../children/agent-container.ts";
import { agentsName } from "../children/identity.ts";
import { CHILDREN_OPTIONS } from "../children/options.ts";
import { podTemplate } from "../children/pod-template.ts";
import { serviceAccount } from "../children/surroundings.ts";
import { kubernetesSection } from "../crd/kubernetes-section.ts";
import { fixtureSpec } from "../crd/spec-fixture.ts";
import { API_VERSION, KIND, PLURAL } from "../names.ts";
import { podIdentities } from "./pod-identities.ts";
import { type MadeJob, type MadePod, pathOf } from "./pods-fixture.ts";

// What API servers themselves make of tokens; `pod-identities.test.ts` has what can go wrong.
const CRD = fileURLToPath(new URL("../../../k8s/base/crd.yaml", import.meta.url));
const NAMESPACE = ownName("trust");
const POD = "demo-agents-0";

let kube: ApiServer;
let job: MadeJob;
let pod: MadePod;
before(async () => {
  kube = await openCluster({ namespaces: [NAMESPACE] });
  await kube.define(parse(readFileSync(CRD, "utf8")));
  job = await makeJob("demo");
  pod = await makePod(POD);
});
after(() => kube.close());

/** Returns the uid. */
async function post(path: string, object: unknown): Promise<string> {
  const { code, body } = await kube.request("POST", path, object as Json);
  assert.equal(code, 201, JSON.stringify(body));
  return (body as { metadata: { uid: string } }).metadata.uid;
}

async function makeJob(name: string): Promise<MadeJob> {
  const spec = fixtureSpec();
  const path = `/apis/${API_VERSION}/namespaces/${NAMESPACE}/${PLURAL}`;
  const uid = await post(path, { apiVersion: API_VERSION, kind: KIND, metadata: { name }, spec });
  const { nodes, gpusPerNode } = spec;
  const made = {
    metadata: { name, namespace: NAMESPACE, uid },
    spec: { ...spec, ...kubernetesSection.parse({ nodes, gpusPerNode }) },
  };
  await post(pathOf(NAMESPACE, "serviceaccounts"), serviceAccount(made));
  return made;
}

async function makePod(name: string): Promise<MadePod> {
  const { metadata, spec } = podTemplate(job, CHILDREN_OPTIONS);
  // No node is called so: it never runs.
  const nowhere: JsonObject = { ...spec, nodeSelector: { none: "such" } };
  const { labels } = metadata;
  const object = { metadata: { name, labels }, spec: nowhere };
  return { name, uid: await post(pathOf(NAMESPACE, "pods"), object) };
}

const tokenOf = (bound: MadePod | undefined, audience = TOKEN_AUDIENCE) =>
  kube.tokenFor({
    ...{ namespace: NAMESPACE, serviceAccount: agentsName(job), audiences: [audience] },
    ...(bound ? { pod: bound } : {}),
  });
const identify = (token: string, name = POD, namespace = NAMESPACE) =>
  podIdentities(kube.config, namespace).identify(token, name);

it("a pod's token tells the run of its job", async () => {
  assert.deepEqual(await identify(await tokenOf(pod)), { runId: `demo-${job.metadata.uid}` });
});

it("a token for another service, of no pod, of another pod or namespace is refused", async () => {
  const other = "https://elsewhere.example.com";
  await assert.rejects(identify(await tokenOf(pod, other)), /is not for moestro; mount/);
  await assert.rejects(identify(await tokenOf(undefined)), /its token is bound to no pod; mount/);
  const own = await tokenOf(pod);
  await assert.rejects(identify(own, "demo-agents-1"), /the token is of pod demo-agents-0/);
  await assert.rejects(identify(own, POD, "default"), /takes pods of namespace default/);
  await assert.rejects(identify("x.y.z"), /is not good: /);
});

it("a token is as long good as its pod is there", async () => {
  const brief = await makePod("demo-agents-2");
  const token = await tokenOf(brief);
  await identify(token, brief.name);
  const path = `${pathOf(NAMESPACE, "pods")}/${brief.name}?gracePeriodSeconds=0`;
  assert.equal((await kube.request("DELETE", path)).code, 200);
  const refused = /is not good|is gone/;
  // An API server may remember for seconds that it took the token; the pod is gone even so.
  await assert.rejects(identify(token, brief.name), refused);
  await makePod(brief.name);
  await assert.rejects(identify(token, brief.name), refused);
});
