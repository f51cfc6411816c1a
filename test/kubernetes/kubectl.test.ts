import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type ApiServer, DEFINITIONS } from "./api-server.ts";
import { TOYS, toy } from "./fixture.ts";
import { kubectl, whyNoKubectl } from "./kubectl.ts";
import { openCluster, ownName } from "./open-cluster.ts";
import { whyNoControllers } from "./which-server.ts";

const skip = whyNoKubectl() ?? false;
const NAMESPACE = ownName("kubectl");
/** That kubectl makes. */
const [MADE, SHORT] = [ownName("made"), ownName("short")];
let cluster: ApiServer;
before(async () => {
  cluster = await openCluster({ namespaces: [NAMESPACE] });
  for (const name of [MADE, SHORT]) await cluster.own(`/api/v1/namespaces/${name}`);
  await cluster.own(`${DEFINITIONS}/toys.example.com`);
});
after(() => cluster.close());

async function ok(args: string[], input?: unknown): Promise<string> {
  const text = input === undefined ? undefined : JSON.stringify(input);
  const { exitCode, stdout, stderr } = await kubectl(cluster, args, text);
  assert.equal(exitCode, 0, stderr);
  return stdout + stderr;
}

function named(kind: string, metadata: { name: string; namespace?: string }) {
  return { apiVersion: "v1", kind, metadata };
}

test("kubectl applies a definition, waits for it, and applies objects of it", {
  skip,
}, async () => {
  assert.match(await ok(["apply", "--server-side", "-f", "-"], TOYS), /serverside-applied/);
  await ok(["wait", "--for=condition=Established", "crd/toys.example.com"]);
  assert.match(await ok(["apply", "-f", "-"], toy("a", { color: "red" })), /toy.*\/a created/);
  const again = await ok(["apply", "-f", "-"], toy("a", { color: "red" }));
  assert.match(again, /toy.*\/a unchanged/);
  const more = toy("a", { color: "red", nodes: { max: 3 } });
  assert.match(await ok(["apply", "-f", "-"], more), /toy.*\/a configured/);
});

test("kubectl get prints the definition's columns, by short name and category", {
  skip,
}, async () => {
  assert.match(await ok(["get", "ty"]), /^NAME +MAX +STATE +AGE\na +3 +\d+s\n/);
  assert.match(await ok(["get", "all"]), /toy.example.com\/a/);
  assert.equal(await ok(["get", "toy", "a", "-o", "jsonpath={.spec.nodes.min}"]), "1");
});

test("kubectl explain and describe tell what there is", { skip }, async () => {
  assert.match(await ok(["explain", "toy.spec.color"]), /What it looks like/);
  assert.match(await ok(["explain", "pod.spec.containers"]), /List of containers/);
  assert.match(await ok(["describe", "toy", "a"]), /Color: +red/);
});

test("what the definition forbids is refused with its words", { skip }, async () => {
  const apply = async (object: unknown) =>
    (await kubectl(cluster, ["apply", "-f", "-"], JSON.stringify(object))).stderr;
  const green = await apply(toy("b", { color: "green" }));
  assert.match(green, /spec.color: Unsupported value: "green": supported values: "red", "blue"/);
  const wide = await apply(toy("b", { color: "red", nodes: { min: 3 } }));
  assert.match(wide, /spec.nodes: Invalid value: "object": min must be at most max/);
  const changed = await apply(toy("a", { color: "blue" }));
  assert.match(changed, /spec: Invalid value: "object": color is immutable/);
  const unknown = await apply(toy("b", { color: "red", colour: "x" }));
  assert.match(unknown, /strict decoding error: unknown field "spec.colour"/);
});

test("kubectl scale, patch, label and edit the status through subresources", { skip }, async () => {
  await ok(["scale", "toy/a", "--replicas=5"]);
  assert.equal(await ok(["get", "toy", "a", "-o", "jsonpath={.spec.nodes.max}"]), "5");
  await ok(["patch", "toy", "a", "--type=merge", "-p", '{"spec":{"nodes":{"min":2}}}']);
  await ok(["label", "toy", "a", "kind=ball"]);
  assert.match(await ok(["get", "toy", "-l", "kind=ball", "-o", "name"]), /toy.example.com\/a/);
  const status = '{"status":{"conditions":[{"type":"Running","status":"True"}]}}';
  await ok(["patch", "toy", "a", "--subresource=status", "--type=merge", "-p", status]);
  await ok(["wait", "--for=condition=Running", "toy/a", "--timeout=5s"]);
  assert.equal(await ok(["get", "toy", "a", "-o", "jsonpath={.metadata.generation}"]), "4");
});

test("server-side apply by two managers conflicts as kubectl tells it", { skip }, async () => {
  const by = (manager: string, data: object) => {
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" }, data };
    const args = ["apply", "--server-side", `--field-manager=${manager}`, "-f", "-"];
    return kubectl(cluster, args, JSON.stringify(object));
  };
  await by("one", { a: "1" });
  const { exitCode, stderr } = await by("two", { a: "2" });
  assert.notEqual(exitCode, 0);
  assert.match(stderr, /conflict with "one" using v1: \.data\.a/);
});

test("a built-in kind is validated, dry-run and diffed", { skip }, async () => {
  const service = {
    ...{ apiVersion: "v1", kind: "Service", metadata: { name: "s" } },
    spec: { clusterIP: "None", ports: [{ port: 80 }], selector: { a: "b" } },
  };
  await ok(["apply", "--server-side", "--dry-run=server", "-f", "-"], service);
  assert.match((await kubectl(cluster, ["get", "svc", "s"])).stderr, /services "s" not found/);
  const wrong = { ...service, spec: { ports: [{ port: "x" }] } };
  const { stderr } = await kubectl(cluster, ["apply", "-f", "-"], JSON.stringify(wrong));
  assert.match(stderr, /spec.ports\[0\].port/);
});

test("kubectl creates what it sends as protobuf, and asks what may be done", { skip }, async () => {
  await ok(["create", "namespace", MADE]);
  await ok(["-n", MADE, "create", "secret", "generic", "s", "--from-literal=p=q"]);
  assert.equal(await ok(["-n", MADE, "get", "secret", "s", "-o", "jsonpath={.data.p}"]), "cQ==");
  await ok(["-n", MADE, "create", "serviceaccount", "agent"]);
  assert.match(await ok(["-n", MADE, "create", "token", "agent", "--audience=moestro"]), /^ey/);
  assert.match(await ok(["auth", "can-i", "list", "pods"]), /yes/);
  const other = ["auth", "can-i", "list", "pods", `--as=system:serviceaccount:${MADE}:agent`];
  assert.match((await kubectl(cluster, other)).stdout, /no/);
});

test("kubectl says of a kind that nobody defined what it says to a real server", {
  skip,
}, async () => {
  const object = { ...named("Thing", { name: "t" }), apiVersion: "example.org/v1" };
  const { stderr } = await kubectl(cluster, ["apply", "-f", "-"], JSON.stringify(object));
  assert.match(stderr, /no matches for kind "Thing" in version "example.org\/v1"/);
});

test("kubectl delete waits until all is gone", { skip }, async () => {
  await ok(["delete", "toy", "a"]);
  assert.match(
    (await kubectl(cluster, ["get", "toy", "a"])).stderr,
    /toys.example.com "a" not found/,
  );
  assert.equal(await ok(["get", "toys", "-A", "-o", "name"]), "");
});

test("a namespace that kubectl deletes goes with what is in it", {
  skip: skip || whyNoControllers("namespaces that empty themselves"),
}, async () => {
  await ok(["apply", "-f", "-"], named("Namespace", { name: SHORT }));
  await ok(["apply", "-f", "-"], named("ConfigMap", { name: "c", namespace: SHORT }));
  await ok(["delete", "namespace", SHORT]);
  assert.equal(await ok(["-n", SHORT, "get", "configmaps", "-o", "name"]), "");
});
