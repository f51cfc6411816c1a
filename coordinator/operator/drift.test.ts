import assert from "node:assert/strict";
import { after, afterEach, before, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { until } from "../../test/faults/patience.ts";
import type { JsonObject } from "../../test/kubernetes/json.ts";
import { JOB_LABEL } from "../kubernetes/children/identity.ts";
import { AGENTS, startOperator, type TestOperator } from "./played-operator-fixture.ts";

let operator: TestOperator;
before(async () => {
  operator = await startOperator();
});
afterEach(() => {
  operator.kube.cluster.webhooks.length = 0;
});
after(() => operator.close());

interface Events {
  items: { message: string }[];
}

const MERGE = { headers: { "content-type": "application/merge-patch+json" } };
const placeOf = (plural: string, name: string) => `/api/v1/namespaces/default/${plural}/${name}`;

/** As kubectl edit and kubectl patch do. */
async function change(path: string, body: JsonObject): Promise<void> {
  const { code } = await operator.kube.request(
    "PATCH",
    `${path}?fieldManager=kubectl`,
    body,
    MERGE,
  );
  assert.equal(code, 200);
}

const read = async (path: string) => (await operator.kube.request("GET", path)).body as JsonObject;

const numWrites = () =>
  ["create", "update", "patch", "delete"]
    .map((verb) => operator.kube.faults.totalRequests({ verb }))
    .reduce((sum, count) => sum + count, 0);

/** Waits for it to be so, and for nothing more to be written. */
async function comesBack(name: string, path: string, wanted: JsonObject): Promise<void> {
  await until(`${path} as it was`, async () => {
    const now = await read(path);
    return isDeepStrictEqual({ ...now, ...wanted }, now) || undefined;
  });
  await operator.untilQuiet(name);
  const before = numWrites();
  await operator.untilQuiet(name);
  assert.equal(numWrites(), before);
}

it("what somebody changes or removes of a child comes back by itself, what they add stays", async () => {
  await operator.apply("edited");
  await operator.untilCondition("edited", "Admitted", "True");
  await operator.untilQuiet("edited");
  const map = placeOf("configmaps", "edited-plan");
  const { data } = (await read(map)) as { data: JsonObject };
  const theirs = { "note.txt": "mine" };
  await change(map, { data: { "plan.json": "theirs", ...theirs } });
  await comesBack("edited", map, { data: { ...data, ...theirs } });
  await change(map, { data: null });
  await comesBack("edited", map, { data });
  const account = placeOf("serviceaccounts", "edited-agents");
  for (const automountServiceAccountToken of [true, null]) {
    await change(account, { automountServiceAccountToken });
    await comesBack("edited", account, { automountServiceAccountToken: false });
  }
});

it("labels and owners that somebody takes from a child come back, also those it is found by", async () => {
  await operator.apply("taken-off");
  await operator.untilCondition("taken-off", "Admitted", "True");
  await operator.untilQuiet("taken-off");
  const agents = "taken-off-agents";
  const paths = [
    ...[placeOf("configmaps", "taken-off-plan"), placeOf("serviceaccounts", agents)],
    ...[placeOf("services", agents), `${AGENTS}/${agents}`],
  ];
  for (const path of paths) {
    const before = (await read(path)).metadata as JsonObject;
    const { labels, ownerReferences } = before;
    const takeOff = async (metadata: JsonObject) => {
      await change(path, { metadata });
      await until(`${path} as it was`, async () => {
        const now = (await read(path)).metadata as JsonObject;
        const isBack = isDeepStrictEqual(
          [now.labels, now.ownerReferences],
          [labels, ownerReferences],
        );
        return isBack || undefined;
      });
      await operator.untilQuiet("taken-off");
    };
    await takeOff({ labels: { "app.kubernetes.io/part-of": "theirs" } });
    await takeOff({ labels: { [JOB_LABEL]: "another" } });
    await takeOff({ labels: { [JOB_LABEL]: null } });
    await takeOff({ ownerReferences: [] });
  }
  assert.deepEqual(operator.runs.wishesFor("taken-off"), ["submitRun"]);
});

it("a webhook that changes the plan at every write is left to it", async () => {
  operator.kube.cluster.webhooks.push((object) => {
    if (object.kind === "ConfigMap") object.data = { "plan.json": "theirs" };
  });
  await operator.apply("hooked");
  await operator.untilCondition("hooked", "Admitted", "True");
  const map = placeOf("configmaps", "hooked-plan");
  await change(map, { data: { "plan.json": "edited", theirs: "more" } });
  await comesBack("hooked", map, { data: { "plan.json": "theirs" } });
});

it("a controller that changes the plan whenever it is put right is not fought, and is told of", async () => {
  await operator.apply("fought");
  await operator.untilCondition("fought", "Admitted", "True");
  await operator.untilQuiet("fought");
  const map = placeOf("configmaps", "fought-plan");
  const theirs = { data: { "plan.json": "theirs" } };
  const isOver = new AbortController();
  const fights = (async () => {
    while (!isOver.signal.aborted) {
      if (!isDeepStrictEqual((await read(map)).data, theirs.data)) await change(map, theirs);
      await sleep(10);
    }
  })();
  try {
    const maps = { verb: "patch", resource: "configmaps" };
    const before = operator.kube.faults.totalRequests(maps);
    await until("an Event", async () => {
      const { items } = (await read("/api/v1/namespaces/default/events")) as unknown as Events;
      return (
        items.some(({ message }) =>
          /^ConfigMap fought-plan was refused: others change it/.test(message),
        ) || undefined
      );
    });
    for (let index = 0; index < 10; index += 1) await operator.untilQuiet("fought");
    // Theirs, and as many of the operator's.
    assert.ok(operator.kube.faults.totalRequests(maps) - before <= 8);
    assert.deepEqual((await read(map)).data, theirs.data);
  } finally {
    isOver.abort();
    await fights;
  }
});
