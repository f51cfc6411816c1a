import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { podIdentities } from "../../coordinator/kubernetes/trust/pod-identities.ts";
import {
  type MadeJob,
  type MadePod,
  NAMESPACE,
  PodsFixture,
} from "../../coordinator/kubernetes/trust/pods-fixture.ts";
import { createAuthority, issue } from "../../coordinator/rpc/certificates.ts";
import { readCredentials, writeCredentials } from "../../coordinator/rpc/credentials-file.ts";
import { startTestCoordinator, type TestCoordinator } from "../../coordinator/rpc/fixture.ts";
import { credentialsPath, obtainCredentials, type Rejoining, rejoiningBy } from "./credentials.ts";
import { renewWhenDue } from "./renewal.ts";
import { until } from "./testing.ts";

const MAIN = join(import.meta.dirname, "main.ts");
const HOUR_MS = 3_600_000;
const NOWHERE = "127.0.0.1:9";
let cluster: PodsFixture;
let here: TestCoordinator;
let job: MadeJob;
let pod: MadePod;
let folders: string;

before(async () => {
  folders = mkdtempSync(join(tmpdir(), "moestro-pod-credentials-"));
  cluster = await PodsFixture.start();
  here = await startTestCoordinator({}, podIdentities(cluster.config, NAMESPACE));
  job = await cluster.job("demo");
  pod = await cluster.pod(job, "demo-agents-0");
});
afterEach(() => {
  cluster.kube.cluster.now = Date.now;
});
after(async () => {
  await here.close();
  await cluster.close();
  rmSync(folders, { recursive: true });
});

/** What a pod has mounted in a folder, as it is now. */
function mounted(folder: string, authority = here.authority.certificate) {
  const files = {
    token: join(folders, `${folder}.token`),
    authority: join(folders, `${folder}.ca.crt`),
  };
  writeFileSync(files.token, `${cluster.tokenOf(job, pod)}\n`);
  writeFileSync(files.authority, authority);
  return files;
}

const optionsOf = (folder: string, tokenFiles = mounted(folder)) => ({
  ...{ coordinators: [here.address], joinAddresses: [here.joinAddress], token: undefined },
  ...{ directory: join(folders, folder), agentId: pod.name, tokenFiles },
});

/** Renews at once, and whenever it fails; what came of it. */
async function renewed(
  folder: string,
  rejoining: Rejoining,
  how: { coordinators?: string[]; inMs?: number } = {},
) {
  const directory = join(folders, folder);
  const credentials = readCredentials(credentialsPath(directory));
  assert.ok(credentials);
  const { promise, resolve } = Promise.withResolvers<typeof credentials>();
  const failures: string[] = [];
  const renewal = renewWhenDue({
    ...{ credentials, directory, rejoining, renewed: resolve, lookEveryMs: 5 },
    coordinators: how.coordinators ?? [NOWHERE],
    failed: (why) => failures.push(why),
    now: () => Date.now() + (how.inMs ?? 0),
  });
  const next = await promise;
  renewal.stop();
  assert.notEqual(next.key, credentials.key);
  assert.deepEqual(readCredentials(credentialsPath(directory)), next);
  return { next, failures };
}

test("an agent in a pod joins by the files, and keeps what it got", async () => {
  const options = optionsOf("joins");
  const joined = await obtainCredentials(options);
  assert.equal(joined.peer?.runId, `demo-${job.metadata.uid}`);
  const again = await obtainCredentials({ ...options, joinAddresses: [NOWHERE] });
  assert.equal(again.certificate, joined.certificate);
});

test("what the files lack is told with its flag, and may come yet", async () => {
  const tokenFiles = mounted("lacks");
  const lacks = (why: RegExp) =>
    assert.rejects(obtainCredentials(optionsOf("lacks", tokenFiles)), (error: Error) => {
      assert.match(error.message, why);
      assert.equal((error as Error & { code: string }).code, "environment");
      return true;
    });
  writeFileSync(tokenFiles.token, "\n");
  await lacks(/^--token-file \/.*lacks.token: is empty; mount a projected service-account token$/);
  rmSync(tokenFiles.token);
  await lacks(/^--token-file \/.*lacks.token: cannot be read \(ENOENT\); mount a projected/);
  writeFileSync(tokenFiles.authority, "none");
  await lacks(/^--authority \/.*ca.crt: is no certificate; mount the ConfigMap that the operator/);
  rmSync(tokenFiles.authority);
  await lacks(/^--authority \/.*ca.crt: cannot be read \(ENOENT\); mount the ConfigMap/);
});

test("a kept certificate that has expired, or is damaged, is replaced by the files", async () => {
  const options = optionsOf("replaces");
  const first = await obtainCredentials(options);
  const late = await obtainCredentials({ ...options, nowMs: Date.now() + 25 * HOUR_MS });
  assert.notEqual(late.key, first.key);
  writeFileSync(credentialsPath(options.directory), "damaged");
  assert.notEqual((await obtainCredentials(options)).key, late.key);
});

test("a certificate that is due is replaced by the pod's token of that time", async () => {
  const options = optionsOf("expires");
  const { tokenFiles } = options;
  const first = await obtainCredentials(options);
  // A day later: of that time is the token that the kubelet has written meanwhile.
  cluster.kube.cluster.now = () => Date.now() + 25 * HOUR_MS;
  const rejoining = rejoiningBy(tokenFiles, options);
  await assert.rejects(rejoining.join(), /token has expired/);
  mounted("expires");
  const { next, failures } = await renewed("expires", rejoining, { inMs: 25 * HOUR_MS });
  assert.deepEqual(next.peer, first.peer);
  assert.deepEqual(failures, []);
});

test("when the coordinators have another authority, the agent joins that before its time", async () => {
  const options = optionsOf("moves");
  const foreign = await createAuthority(new Date());
  const old = await issue(foreign, { name: `agent:${pod.name}`, hosts: [] }, new Date());
  const path = credentialsPath(options.directory);
  writeCredentials(path, { ...old, authority: foreign.certificate });
  const how = { coordinators: [here.address] };
  const rejoining = rejoiningBy(options.tokenFiles, options);
  const { next } = await renewed("moves", rejoining, how);
  assert.equal(next.authority.trim(), here.authority.certificate.trim());
});

test("an agent that cannot join again says so once, and tries on", async () => {
  const options = optionsOf("tries");
  await obtainCredentials(options);
  rmSync(options.tokenFiles.token);
  const rejoining = rejoiningBy(options.tokenFiles, options);
  const done = renewed("tries", rejoining, { inMs: 25 * HOUR_MS });
  await new Promise((resolve) => setTimeout(resolve, 100));
  mounted("tries");
  const { failures } = await done;
  assert.equal(failures.length, 1);
  assert.match(
    failures[0] ?? "",
    /^the certificate expired on 20.*Z and could not be renewed: --token-file .*; trying on$/,
  );
});

function startAgent(folder: string, files: { token: string; authority: string }) {
  const args = [
    ...["--coordinator", here.address, "--join", here.joinAddress, "--agent-id", pod.name],
    ...["--credentials", join(folders, folder), "--slots", "2"],
    ...["--token-file", files.token, "--authority", files.authority],
  ];
  const stdio: ["ignore", "ignore", "pipe"] = ["ignore", "ignore", "pipe"];
  const child = spawn(process.execPath, [MAIN, ...args], { stdio });
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  return { child, ended, stderr: () => stderr };
}

test("an agent's process waits for its files, joins, and serves its run alone", async () => {
  const files = mounted("process");
  const authority = readFileSync(files.authority);
  rmSync(files.authority);
  const agent = startAgent("process", files);
  await until(() => agent.stderr().includes("trying on"));
  assert.match(
    agent.stderr(),
    /^moestro agent demo-agents-0: --authority .*ENOENT.*; trying on\n$/,
  );
  writeFileSync(files.authority, authority);
  const connected = `connected ${pod.name} for demo-${job.metadata.uid}`;
  await until(() => here.heard.includes(connected));
  agent.child.kill("SIGTERM");
  await agent.ended;
});

test("an agent's process that still waits to join ends when it is asked to", async () => {
  const files = mounted("early");
  rmSync(files.authority);
  const agent = startAgent("early", files);
  await until(() => agent.stderr().includes("trying on"));
  agent.child.kill("SIGTERM");
  // By itself, not by the signal, which the first process of a container would not feel.
  assert.equal(await agent.ended, 130);
  assert.match(agent.stderr(), /\nmoestro agent demo-agents-0: asked to end \(SIGTERM\)\n$/);
});

test("an agent's process that is refused says why, with no token in it, and tries on", async () => {
  const files = mounted("refused");
  const token = cluster.tokenOf(job, undefined);
  writeFileSync(files.token, token);
  const agent = startAgent("refused", files);
  await until(() => agent.stderr().includes("trying on"));
  const why =
    /^moestro agent demo-agents-0: 127.*: pod demo-agents-0: .* bound to no pod.*; trying on\n$/;
  assert.match(agent.stderr(), why);
  assert.ok(!agent.stderr().includes(token));
  agent.child.kill("SIGTERM");
  await agent.ended;
});
