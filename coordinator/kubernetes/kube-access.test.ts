import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, it } from "node:test";
import { kubeAccess } from "./kube-access.ts";

const NAMES = ["KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "HOME"] as const;
const before = new Map(NAMES.map((name) => [name, process.env[name]]));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "moestro-test-"));
  for (const name of NAMES) delete process.env[name];
  process.env.HOME = folder;
});
afterEach(() => {
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  rmSync(folder, { recursive: true });
});

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const KUBECONFIG = JSON.stringify({
  ...{ apiVersion: "v1", kind: "Config", "current-context": "one" },
  clusters: [{ name: "c", cluster: { server: "https://example.org:6443" } }],
  users: [{ name: "u", user: { token: "t" } }],
  contexts: [
    { name: "one", context: { cluster: "c", user: "u", namespace: "research" } },
    { name: "two", context: { cluster: "c", user: "u" } },
  ],
});

it("a kubeconfig is read, its context chosen, and the namespace is the context's unless given", () => {
  const kubeconfig = write("config", KUBECONFIG);
  const { config, namespace } = kubeAccess({ kubeconfig });
  assert.equal(config.getCurrentCluster()?.server, "https://example.org:6443");
  assert.equal(namespace, "research");
  assert.equal(kubeAccess({ kubeconfig, context: "two" }).namespace, "default");
  assert.equal(kubeAccess({ kubeconfig, namespace: "other" }).namespace, "other");
  process.env.KUBECONFIG = kubeconfig;
  assert.equal(kubeAccess({}).namespace, "research");
});

it("a pod's own account is used where there is one, with its namespace", () => {
  write("token", "secret");
  write("namespace", "moestro");
  process.env.KUBERNETES_SERVICE_HOST = "fd00::1";
  process.env.KUBERNETES_SERVICE_PORT = "443";
  const { config, namespace } = kubeAccess({ serviceAccount: folder });
  assert.equal(config.getCurrentCluster()?.server, "https://[fd00::1]:443");
  assert.equal(namespace, "moestro");
});

it("what leads nowhere is told in one line", () => {
  const refused = (options: Parameters<typeof kubeAccess>[0], message: RegExp) =>
    assert.throws(() => kubeAccess(options), message);
  refused({}, /^MoestroError: kubeconfig: names no cluster; give a file with --kubeconfig/);
  refused({ kubeconfig: join(folder, "none") }, /none: cannot be read: ENOENT.*--kubeconfig$/);
  refused({ kubeconfig: write("bad", "{{") }, /bad: /);
  const kubeconfig = write("config", KUBECONFIG);
  refused({ kubeconfig, context: "three" }, /--context three: .* use one, two$/);
  write("token", "secret");
  refused({ serviceAccount: folder }, /KUBERNETES_SERVICE_HOST .* give --kubeconfig/);
});
