import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { diff } from "../../coordinator/cli/k8s/diff.ts";
import { type ApiServer, DEFINITIONS } from "./api-server.ts";
import type { KubeObject } from "./json.ts";
import { kubectl, whyNoKubectl } from "./kubectl.ts";
import {
  KUSTOMIZATIONS,
  MANIFESTS,
  madeByKustomizations,
  renderedChildren,
  SAMPLES,
} from "./manifests-fixture.ts";
import { openCluster, ownName } from "./open-cluster.ts";
import { FOREIGN_DEFINITIONS } from "./schema/foreign-definitions.ts";
import { whyNoControllers } from "./which-server.ts";

const skip = whyNoKubectl() ?? false;
const APPLY = ["apply", "--server-side"];
/** Controllers make them at their own time. */
const OF_EVERY_NAMESPACE = ["kube-root-ca.crt", "default"];
const DRY_RUN = [...APPLY, "--dry-run=server"];

/** Deletes namespaces, which only a controller empties. */
const skipDeleting = whyNoControllers("namespaces that empty themselves");

let kube: ApiServer;
let made: Awaited<ReturnType<typeof madeByKustomizations>>;
let bare: unknown[];
before(async () => {
  if (skip !== false) return;
  made = await madeByKustomizations();
  kube = await openCluster({ namespaces: [ownName("manifests")] });
  for (const definition of FOREIGN_DEFINITIONS) await kube.define(definition);
  await kube.own("/api/v1/namespaces/moestro");
  await kube.own(`${DEFINITIONS}/moetrainingjobs.moestro.dev`);
  bare = await present();
});
after(() => kube?.close());

/** Runs kubectl, which must have nothing against it; returns what it said, a line each. */
async function ok(args: string[], input?: readonly unknown[]): Promise<string[]> {
  const list = { apiVersion: "v1", kind: "List", items: input };
  const text = input === undefined ? undefined : JSON.stringify(list);
  const { exitCode, stdout, stderr } = await kubectl(kube, args, text);
  assert.deepEqual([exitCode, stderr], [0, ""], `kubectl ${args.join(" ")}`);
  return stdout.trim().split("\n");
}

/** Everything of the kinds that are installed, with what a change of it would change. */
async function present(): Promise<unknown[]> {
  const kinds = new Set(made.get(".")?.map(({ apiVersion, kind }) => kindName(apiVersion, kind)));
  const args = ["get", [...kinds].join(","), "--all-namespaces", "-o", "json"];
  const { stdout, stderr } = await kubectl(kube, args);
  assert.equal(stderr, "");
  const { items } = JSON.parse(stdout) as { items: KubeObject[] };
  return items
    .filter(({ metadata }) => !OF_EVERY_NAMESPACE.includes(metadata.name))
    .map(({ kind, metadata }) => [kind, metadata.name, metadata.uid, metadata.generation])
    .sort();
}

/** As kubectl takes it: `Deployment.v1.apps`. */
function kindName(apiVersion: string, kind: string): string {
  const [group, version] = apiVersion.split("/");
  return version === undefined ? kind : `${kind}.${version}.${group}`;
}

/** What tells people that all of it would be taken. */
function assertTaken(said: readonly string[], made: readonly unknown[], what: string): void {
  assert.equal(said.length, made.length, what);
  for (const line of said) assert.match(line, / serverside-applied \(server dry run\)$/);
}

describe("kubectl apply --server-side, as the API server takes it", { skip }, () => {
  it("tried dry into a new namespace, makes nothing", { skip: skipDeleting }, async () => {
    await ok(["create", "namespace", "moestro"]);
    const before = await present();
    assertTaken(await ok([...DRY_RUN, "-k", MANIFESTS]), made.get(".") ?? [], "k8s/");
    assert.deepEqual(await present(), before);
    await ok(["delete", "namespace", "moestro"]);
  });

  it("installs everything, and the second time changes nothing", async () => {
    const first = await ok([...APPLY, "-k", MANIFESTS]);
    await ok(["wait", "--for=condition=Established", "crd/moetrainingjobs.moestro.dev"]);
    const before = await present();
    assert.ok(before.length > bare.length + 15);
    assert.deepEqual(await ok([...APPLY, "-k", MANIFESTS]), first);
    assert.deepEqual(await present(), before);
  });

  it("lets the coordinator make what jobs become, and little else", async () => {
    const account = { namespace: "moestro", serviceAccount: "moestro-coordinator" };
    const kubeconfig = await kube.kubeconfigFor(account);
    const { text } = await diff(join(MANIFESTS, "samples/quickstart.yaml"), { kubeconfig });
    assert.equal(text.match(/^\+\+\+ applied\/moestro\//gm)?.length, 6);
    const as = `--as=system:serviceaccount:${account.namespace}:${account.serviceAccount}`;
    const may = async (wish: string) =>
      (await kubectl(kube, ["auth", "can-i", as, ...wish.split(" ")])).stdout.trim();
    for (const wish of [
      "create tokenreviews.authentication.k8s.io",
      ...["patch moetrainingjobs.moestro.dev --subresource=status -n moestro"],
      ...["list events -n moestro", "create events -n moestro", "patch leases -n moestro"],
    ]) {
      assert.equal(await may(wish), "yes", wish);
    }
    for (const wish of [
      ...["get secrets -n moestro", "list secrets -n moestro", "watch secrets -n moestro"],
      ...["list pods -n default", "list pods -A", "create pods -n moestro"],
      ...[
        "patch moetrainingjobs.moestro.dev -n moestro",
        "create serviceaccounts --subresource=token -n moestro",
      ],
      ...["patch workloads.kueue.x-k8s.io -n moestro"],
    ]) {
      assert.equal(await may(wish), "no", wish);
    }
  });

  it("takes every overlay", async () => {
    for (const folder of KUSTOMIZATIONS) {
      const said = await ok([...DRY_RUN, "-k", join(MANIFESTS, folder)]);
      assertTaken(said, made.get(folder) ?? [], folder);
    }
  });

  it("takes every sample", async () => {
    for (const sample of SAMPLES) {
      assertTaken(await ok([...DRY_RUN, "-f", join(MANIFESTS, sample)]), [sample], sample);
    }
  });

  it("takes everything that jobs become", async () => {
    for (const [what, children] of await renderedChildren()) {
      assertTaken(await ok([...DRY_RUN, "-f", "-"], children), children, what);
    }
  });

  it("leaves nothing behind when it is deleted", { skip: skipDeleting }, async () => {
    // The namespace goes first, and takes most of the others along.
    await ok(["delete", "--ignore-not-found", "-k", MANIFESTS]);
    assert.deepEqual(await present(), bare);
  });
});
