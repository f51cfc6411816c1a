import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { diff } from "../../coordinator/cli/k8s/diff.ts";
import { kubectl, whyNoKubectl } from "./kubectl.ts";
import {
  KUSTOMIZATIONS,
  MANIFESTS,
  madeByKustomizations,
  renderedChildren,
  SAMPLES,
} from "./manifests-fixture.ts";
import { FOREIGN_DEFINITIONS } from "./schema/foreign-definitions.ts";
import { startCluster, type TestCluster } from "./start.ts";

const skip = whyNoKubectl() ?? false;
const APPLY = ["apply", "--server-side"];
const DRY_RUN = [...APPLY, "--dry-run=server"];

let kube: TestCluster;
before(async () => {
  kube = await startCluster();
});
after(() => kube.close());

/** Runs kubectl, which must have nothing against it; returns what it said, a line each. */
async function ok(args: string[], input?: readonly unknown[]): Promise<string[]> {
  const list = { apiVersion: "v1", kind: "List", items: input };
  const text = input === undefined ? undefined : JSON.stringify(list);
  const { exitCode, stdout, stderr } = await kubectl(kube, args, text);
  assert.deepEqual([exitCode, stderr], [0, ""], `kubectl ${args.join(" ")}`);
  return stdout.trim().split("\n");
}

/** Everything that is there, with what a change of it would change. */
function present(): unknown[] {
  const { storage } = kube.cluster;
  return kube.cluster
    .resources()
    .flatMap((resource) => storage.list(resource))
    .map(({ kind, metadata }) => [kind, metadata.name, metadata.uid, metadata.generation])
    .sort();
}

/** What tells people that all of it would be taken. */
function assertTaken(said: readonly string[], made: readonly unknown[], what: string): void {
  assert.equal(said.length, made.length, what);
  for (const line of said) assert.match(line, / serverside-applied \(server dry run\)$/);
}

describe("kubectl apply --server-side, as the API server takes it", { skip }, () => {
  let bare: unknown[];
  let made: Awaited<ReturnType<typeof madeByKustomizations>>;
  before(async () => {
    made = await madeByKustomizations();
    await ok([...APPLY, "-f", "-"], FOREIGN_DEFINITIONS);
    bare = present();
  });

  it("tried dry into a new namespace, makes nothing", async () => {
    await ok(["create", "namespace", "moestro"]);
    const before = present();
    assertTaken(await ok([...DRY_RUN, "-k", MANIFESTS]), made.get(".") ?? [], "k8s/");
    assert.deepEqual(present(), before);
    await ok(["delete", "namespace", "moestro"]);
  });

  it("installs everything, and the second time changes nothing", async () => {
    const first = await ok([...APPLY, "-k", MANIFESTS]);
    await ok(["wait", "--for=condition=Established", "crd/moetrainingjobs.moestro.dev"]);
    const before = present();
    assert.ok(before.length > bare.length + 15);
    assert.deepEqual(await ok([...APPLY, "-k", MANIFESTS]), first);
    assert.deepEqual(present(), before);
  });

  it("lets the coordinator make what jobs become, and little else", async () => {
    const account = { namespace: "moestro", serviceAccount: "moestro-coordinator" };
    const kubeconfig = kube.kubeconfigFor(account);
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

  it("leaves nothing behind when it is deleted", async () => {
    // The namespace goes first, and takes most of the others along.
    await ok(["delete", "--ignore-not-found", "-k", MANIFESTS]);
    assert.deepEqual(present(), bare);
  });
});
