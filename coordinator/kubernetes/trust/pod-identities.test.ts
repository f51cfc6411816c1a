import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { KubeConfig } from "@kubernetes/client-node";
import { parseAllDocuments } from "yaml";
import { AgentHelloSchema, ConnectRequestSchema } from "../../../proto/gen/moestro/v1/agent_pb.js";
import {
  IdentityService,
  JoinRequestSchema,
  JoinService,
  RenewRequestSchema,
} from "../../../proto/gen/moestro/v1/join_pb.js";
import { grpcMethods } from "../../../proto/grpc.ts";
import { callUnary } from "../../rpc/call-unary.ts";
import { readCertificate } from "../../rpc/certificate-facts.ts";
import { createCertificateRequest } from "../../rpc/certificate-request.ts";
import { createAuthority } from "../../rpc/certificates.ts";
import { startTestCoordinator, type TestCoordinator } from "../../rpc/fixture.ts";
import { joinAsPod } from "../../rpc/join-client.ts";
import { podIdentities } from "./pod-identities.ts";
import {
  type MadeJob,
  type MadePod,
  NAMESPACE,
  OTHER_NAMESPACE,
  PodsFixture,
  pathOf,
} from "./pods-fixture.ts";

const TIMEOUT_MS = 2000;
const HOUR_S = 3600;
let cluster: PodsFixture;
let here: TestCoordinator;
let job: MadeJob;
let other: MadeJob;
let pod: MadePod;

before(async () => {
  cluster = await PodsFixture.start();
  here = await startTestCoordinator({}, podIdentities(cluster.config, NAMESPACE, TIMEOUT_MS));
  job = await cluster.job("demo");
  other = await cluster.job("other");
  pod = await cluster.pod(job, "demo-agents-0");
});
afterEach(() => {
  cluster.kube.cluster.now = Date.now;
  cluster.kube.faults.recover();
});
after(async () => {
  await here.close();
  await cluster.close();
});

const joinAs = (name: string, serviceAccountToken: string) =>
  joinAsPod({
    ...{ address: here.joinAddress, authority: here.authority.certificate },
    ...{ name: `agent:${name}`, serviceAccountToken },
  });

/** What whoever joins so is told, and that it is not to be tried again. */
async function refuses(name: string, token: string, why: RegExp): Promise<void> {
  await assert.rejects(joinAs(name, token), (error: Error & { code: string }) => {
    assert.match(error.message, why);
    assert.doesNotMatch(error.message, /\n/);
    assert.equal(error.code, "invalid_input");
    return true;
  });
}

test("an agent in a pod gets a certificate of its pod's name and its job's run", async () => {
  cluster.kube.faults.resetCounts();
  const material = await joinAs(pod.name, cluster.tokenOf(job, pod));
  assert.equal(cluster.kube.faults.totalRequests({}), 3);
  const runId = `demo-${job.metadata.uid}`;
  const name = `agent:${pod.name}`;
  const peer = { name, id: pod.name, role: "agent", runId } as const;
  assert.deepEqual(readCertificate(material.certificate).peer, peer);
  const hello = create(AgentHelloSchema, { agentId: pod.name });
  const message = { case: "hello", value: hello } as const;
  const stream = here.openStream(material, create(ConnectRequestSchema, { message }));
  assert.equal(await stream.answer, "welcome");
  assert.ok(here.heard.includes(`connected ${pod.name} for ${runId}`));
  stream.close();
  const { renew } = grpcMethods(IdentityService);
  const { request } = await createCertificateRequest("agent:somebody-else");
  const again = create(RenewRequestSchema, { certificateRequest: request });
  // The pod may be gone by then.
  const { error } = await here.call(material, renew, again);
  assert.match(error?.message ?? "", /is not renewed; join again with the pod's token/);
});

test("a token is good again, for its pod may have lost its certificate", async () => {
  const token = cluster.tokenOf(job, pod);
  await joinAs(pod.name, token);
  await joinAs(pod.name, token);
});

test("no token gets into the audit log, and whom it was for does", async () => {
  const token = cluster.tokenOf(job, pod);
  await joinAs(pod.name, token);
  const text = readFileSync(join(here.directory, "audit.jsonl"), "utf8");
  assert.ok(here.audited().some(({ target, outcome }) => target === pod.name && outcome === "OK"));
  for (const part of token.split(".").slice(1)) assert.ok(!text.includes(part));
});

test("the longest names that a job and its pod may have fit into a certificate", async () => {
  const long = await cluster.job(`long${"-x".repeat(19)}`);
  const name = `${long.metadata.name}-agents-0-9999-abcde`.slice(0, 63);
  const material = await joinAs(name, cluster.tokenOf(long, await cluster.pod(long, name)));
  const { peer } = readCertificate(material.certificate);
  assert.equal(peer?.runId, `${long.metadata.name}-${long.metadata.uid}`);
});

test("a token for another service is refused", async () => {
  const api = cluster.tokenOf(job, pod, { audience: "https://kubernetes.default.svc" });
  const why = /pod demo-agents-0: its service-account token is not for moestro; mount one that is$/;
  await refuses(pod.name, api, why);
});

test("an expired token is refused", async () => {
  const token = cluster.tokenOf(job, pod);
  cluster.kube.cluster.now = () => Date.now() + 2 * HOUR_S * 1000;
  await refuses(pod.name, token, /is not good: token has expired; the kubelet renews it in time/);
});

test("garbage is refused, whatever it looks like", async () => {
  const [head, claims, signature] = cluster.tokenOf(job, pod).split(".");
  const forged = Buffer.from(String(claims), "base64url").toString().replace("demo", "other");
  const bare = Buffer.from("[1]").toString("base64url");
  const odd = ["x", "a.b.c", "....", " ", "\u0000", "ü".repeat(100), `${head}.${bare}.`];
  for (const token of [...odd, `${head}.${claims}.x.y`]) {
    await refuses(pod.name, token, /is not good: it is no JSON web token$/);
  }
  for (const token of [
    `${head}.${claims}.`,
    `${head}.${Buffer.from(forged).toString("base64url")}.${signature}`,
  ]) {
    await refuses(pod.name, token, /is not good: invalid bearer token/);
  }
});

test("a pod's token makes no other name, of a pod or of anybody", async () => {
  const token = cluster.tokenOf(job, pod);
  const beside = await cluster.pod(job, "demo-agents-1");
  for (const name of [beside.name, "node-0"]) {
    await refuses(name, token, /the token is of pod demo-agents-0; an agent in a pod is called/);
  }
  await assert.rejects(
    joinAsPod({
      ...{ address: here.joinAddress, authority: here.authority.certificate },
      ...{ name: `user:${pod.name}`, serviceAccountToken: token },
    }),
    /the token makes agent:demo-agents-0, and user:demo-agents-0 was asked for/,
  );
});

test("a token that is bound to no pod is refused", async () => {
  await refuses(pod.name, cluster.tokenOf(job, undefined), /its token is bound to no pod; mount/);
});

test("the token of a pod that is gone, or came again under its name, is refused", async () => {
  const first = await cluster.pod(job, "demo-agents-2");
  const token = cluster.tokenOf(job, first);
  await cluster.remove("pods", first.name);
  await refuses(first.name, token, /is not good: service account token has been invalidated/);
  const second = await cluster.pod(job, first.name);
  await refuses(first.name, token, /is not good: service account token has been invalidated/);
  await joinAs(second.name, cluster.tokenOf(job, second));
});

test("the token of a service account that is gone, or came again, is refused", async () => {
  const brief = await cluster.job("brief");
  const its = await cluster.pod(brief, "brief-agents-0");
  const token = cluster.tokenOf(brief, its);
  await cluster.remove("serviceaccounts", "brief-agents");
  await refuses(its.name, token, /is not good: service account token has been invalidated/);
});

test("a service account that no MoETrainingJob owns makes no agent", async () => {
  const accounts = pathOf(NAMESPACE, "serviceaccounts");
  await cluster.post(accounts, { metadata: { name: "lone-agents" } });
  const labels = { "moestro.dev/job": "lone" };
  const spec = { serviceAccountName: "lone-agents" };
  const lone = await cluster.pod(job, "lone-agents-0", { labels, spec });
  const token = cluster.tokenOf(job, lone, { account: "lone-agents" });
  await refuses(
    lone.name,
    token,
    /service account lone-agents: is not owned by MoETrainingJob lone/,
  );
});

test("a pod with another job's label or account is no agent of that job", async () => {
  const labels = { "moestro.dev/job": "other" };
  const posing = await cluster.pod(job, "posing", { labels });
  await refuses(
    posing.name,
    cluster.tokenOf(job, posing),
    /is of service account demo-agents, and those of MoETrainingJob other of other-agents/,
  );
  const borrowed = cluster.tokenOf(job, posing, { account: "other-agents" });
  await refuses(posing.name, borrowed, /is of service account demo-agents, its token of other-age/);
  const plain = await cluster.pod(other, "plain", { labels: { app: "web" } });
  await refuses(
    plain.name,
    cluster.tokenOf(other, plain),
    /has no label moestro.dev\/job, as pods/,
  );
});

test("a token of another namespace is refused, with the same names in it", async () => {
  const foreign = await cluster.job("demo", OTHER_NAMESPACE);
  const twin = await cluster.pod(foreign, pod.name);
  await refuses(
    pod.name,
    cluster.tokenOf(foreign, twin),
    /its token is of namespace elsewhere, and this coordinator takes pods of namespace research/,
  );
});

test("an API server that does not answer is waited for, and its failures name no token", async () => {
  const token = cluster.tokenOf(job, pod);
  const { faults } = cluster.kube;
  const triesOn = (why: RegExp) =>
    assert.rejects(joinAs(pod.name, token), (error: Error & { code: string }) => {
      assert.match(error.message, why);
      assert.ok(!error.message.includes(token));
      assert.equal(error.code, "environment");
      return true;
    });
  faults.fail({ resource: "tokenreviews.authentication.k8s.io" }, { code: 503, message: token });
  await triesOn(/cannot review tokens: the API server answered with 503; look at its health$/);
  faults.fail({ resource: "pods" }, { code: 500 });
  await triesOn(/cannot read pod demo-agents-0: the API server answered with 500/);
  faults.delay({ resource: "serviceaccounts" }, TIMEOUT_MS + 500, 500);
  await triesOn(/cannot read service account demo-agents: the API server is out of reach \(.*time/);
  await joinAs(pod.name, token);
});

test("a coordinator without the rights says which manifests give them", async () => {
  const config = new KubeConfig();
  const account = { namespace: NAMESPACE, serviceAccount: "default" };
  config.loadFromFile(cluster.kube.kubeconfigFor(account));
  await assert.rejects(
    podIdentities(config, NAMESPACE).identify(cluster.tokenOf(job, pod), pod.name),
    /cannot review tokens: its role does not allow it; apply the manifests of this version again/,
  );
});

test("the roles of the manifests are rights enough", async () => {
  const rbac = "/apis/rbac.authorization.k8s.io/v1";
  const serviceAccount = "moestro-coordinator";
  await cluster.post(pathOf(NAMESPACE, "serviceaccounts"), { metadata: { name: serviceAccount } });
  for (const file of ["roles.yaml", "token-review.yaml"]) {
    const text = readFileSync(new URL(`../../../k8s/base/${file}`, import.meta.url), "utf8");
    for (const made of parseAllDocuments(text).map((document) => document.toJS())) {
      const folder = made.kind.startsWith("Cluster") ? rbac : `${rbac}/namespaces/${NAMESPACE}`;
      // As kustomize does with the accounts of its own namespace.
      for (const subject of made.subjects ?? []) subject.namespace = NAMESPACE;
      await cluster.post(`${folder}/${made.kind.toLowerCase()}s`, made);
    }
  }
  const config = new KubeConfig();
  config.loadFromFile(cluster.kube.kubeconfigFor({ namespace: NAMESPACE, serviceAccount }));
  const pods = podIdentities(config, NAMESPACE);
  const { runId } = await pods.identify(cluster.tokenOf(job, pod), pod.name);
  assert.equal(runId, `demo-${job.metadata.uid}`);
});

test("what is plainly no token of the pod costs the API server nothing", async () => {
  const expired = cluster.tokenOf(job, pod).split(".");
  const claims = JSON.parse(Buffer.from(String(expired[1]), "base64url").toString());
  const old = Buffer.from(JSON.stringify({ ...claims, exp: 1 })).toString("base64url");
  cluster.kube.faults.resetCounts();
  await refuses(pod.name, `a.${old}.b`, /token has expired; the kubelet renews it in time$/);
  await refuses(pod.name, cluster.tokenOf(job, pod, { audience: "x" }), /is not for moestro/);
  await refuses("demo-agents-9", cluster.tokenOf(job, pod), /the token is of pod demo-agents-0/);
  assert.equal(cluster.kube.faults.totalRequests({}), 0);
});

test("a flood of tokens costs the API server no more than so many calls at once", async () => {
  cluster.kube.faults.delay({}, 200, 5000);
  const pods = podIdentities(cluster.config, NAMESPACE);
  const forged = `${cluster.tokenOf(job, pod)}x`;
  const flood = async (from?: string) => {
    const all = Array.from({ length: 80 }, () => pods.identify(forged, pod.name, from));
    const reasons = (await Promise.allSettled(all)).map((one) =>
      one.status === "rejected" ? String(one.reason.message) : "",
    );
    return (why: RegExp) => reasons.filter((reason) => why.test(reason)).length;
  };
  const count = await flood();
  assert.equal(count(/^64 agents join right now; try again$/), 16);
  assert.equal(count(/is not good/), 64);
  // One address does not keep the others out.
  const flooding = flood("10.0.0.1");
  await pods.identify(cluster.tokenOf(job, pod), pod.name, "10.0.0.2");
  const countOfOne = await flooding;
  assert.equal(countOfOne(/^8 of this address join right now; try again$/), 72);
  assert.equal(countOfOne(/is not good/), 8);
});

test("outside of Kubernetes a pod's token is refused in one sentence", async () => {
  const plain = await startTestCoordinator();
  const token = cluster.tokenOf(job, pod);
  const authority = plain.authority.certificate;
  const where = { address: plain.joinAddress, authority, name: `agent:${pod.name}` };
  await assert.rejects(
    joinAsPod({ ...where, serviceAccountToken: token }),
    /this coordinator knows no pods: join with --token, or start it .* moestro operator$/,
  );
  await plain.close();
});

test("whoever has two tokens has to choose", async () => {
  const { request } = await createCertificateRequest(`agent:${pod.name}`);
  const both = { token: "a.b", serviceAccountToken: cluster.tokenOf(job, pod), name: pod.name };
  const trust = { authority: here.authority.certificate };
  await assert.rejects(
    callUnary(
      { address: here.joinAddress, trust },
      grpcMethods(JoinService).join,
      create(JoinRequestSchema, { ...both, certificateRequest: request }),
    ),
    /token: give one, of moestro's or of a pod's/,
  );
});

test("a coordinator of another authority is told nothing of the token", async () => {
  const { certificate } = await createAuthority(new Date());
  const token = cluster.tokenOf(job, pod);
  cluster.kube.faults.resetCounts();
  await assert.rejects(
    joinAsPod({
      ...{ address: here.joinAddress, authority: certificate },
      ...{ name: `agent:${pod.name}`, serviceAccountToken: token },
    }),
    { code: "environment" },
  );
  assert.equal(cluster.kube.faults.totalRequests({}), 0);
});
