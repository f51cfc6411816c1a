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

/** Others that make it so whenever it is not; gives back how to end them. */
function insist(path: string, theirs: JsonObject): () => Promise<void> {
  const isOver = new AbortController();
  const fights = (async () => {
    while (!isOver.signal.aborted) {
      const now = await read(path);
      if (!isDeepStrictEqual(merged(now, theirs), now)) await change(path, theirs);
      await sleep(10);
    }
  })();
  return () => {
    isOver.abort();
    return fights;
  };
}

const merged = (now: JsonObject, { data = {}, spec = {} }: JsonObject) => ({
  ...now,
  ...(now.data === undefined ? {} : { data: { ...(now.data as JsonObject), ...(data as object) } }),
  ...(now.spec === undefined ? {} : { spec: { ...(now.spec as JsonObject), ...(spec as object) } }),
});

it("controllers that change children whenever they are put right are not fought, and are told of", async () => {
  await operator.apply("fought");
  await operator.untilCondition("fought", "Admitted", "True");
  await operator.untilQuiet("fought");
  const contests = [
    {
      ...{ name: "ConfigMap fought-plan", path: placeOf("configmaps", "fought-plan") },
      ...{ resource: "configmaps", theirs: { data: { "plan.json": "theirs" } } },
    },
    {
      // Its pods run: no condition says it.
      ...{ name: "Job fought-agents", path: `${AGENTS}/fought-agents` },
      ...{ resource: "jobs.batch", theirs: { spec: { backoffLimit: 3 } } },
    },
  ];
  const ends: (() => Promise<void>)[] = [];
  try {
    for (const { name, path, resource, theirs } of contests) {
      const patches = { verb: "patch", resource };
      const before = operator.kube.faults.totalRequests(patches);
      ends.push(insist(path, theirs));
      await until(`an Event of ${name}`, async () => {
        const { items } = (await read("/api/v1/namespaces/default/events")) as unknown as Events;
        const words = `${name} was refused: others change it`;
        return items.some(({ message }) => message.startsWith(words)) || undefined;
      });
      for (let index = 0; index < 10; index += 1) await operator.untilQuiet("fought");
      // Theirs, and as many of the operator's.
      assert.ok(operator.kube.faults.totalRequests(patches) - before <= 8);
      const now = await read(path);
      assert.deepEqual(merged(now, theirs), now);
    }
    assert.equal(operator.condition("fought", "Admitted")?.reason, "Started");
  } finally {
    for (const end of ends) await end();
  }
});
