import assert from "node:assert/strict";
import { it } from "node:test";
import { conditionsNow } from "./condition-words.ts";
import { jobWith, START_MS, seenOf } from "./job-fixture.ts";
import { ModelCluster } from "./model-cluster-fixture.ts";
import type { Observation, Refusal } from "./observation.ts";
import { reconcile } from "./reconcile.ts";
import { isNewlyRefused, refusalEvents } from "./refusal-events.ts";
import { standingOf } from "./standing.ts";

const pods: Refusal = { kind: "Job", name: "tiny-agents", message: "others change it" };
const plan: Refusal = { kind: "ConfigMap", name: "tiny-plan", message: "exceeded quota: maps" };
const told = (seen: Observation, refusals: readonly Refusal[]) =>
  refusalEvents(seen, refusals).map(({ message }) => message);

const PODS = "Job tiny-agents was refused: others change it";
const PLAN = "ConfigMap tiny-plan was refused: exceeded quota: maps";

/** A job whose children are made. */
function seenMade(more: Partial<Observation> = {}, own: Record<string, unknown> = {}) {
  const job = jobWith(own);
  const cluster = new ModelCluster(() => START_MS, false);
  for (const action of reconcile(seenOf(job)).actions) {
    if (action.kind === "applyChild") cluster.apply(action.child, undefined);
  }
  return seenOf(job, { children: cluster.children(job.metadata.uid), ...more });
}

/** What the condition says once the refusals were seen. */
const admitted = (seen: Observation, refusals: readonly Refusal[]) =>
  conditionsNow({ ...seen, refusals }, standingOf(seen)).Admitted;

it("that the pods' job cannot be made, the condition says; of other children an Event", () => {
  const seen = seenOf(jobWith());
  assert.equal(admitted(seen, [plan, pods]).message, PODS);
  assert.deepEqual(refusalEvents(seen, [plan, pods]), [
    { type: "Warning", reason: "ChildRefused", message: PLAN },
  ]);
});

it("where the pods' job was made, the condition has no other child's words", () => {
  const seen = seenOf(jobWith());
  assert.equal(admitted(seen, [plan]).reason, "NotMade");
  assert.deepEqual(told(seen, [plan]), [PLAN]);
});

it("that the pods' account is refused, without which they are not made, the condition says", () => {
  const seen = seenOf(jobWith());
  const account = { kind: "ServiceAccount", name: "tiny-agents", message: "it is not this job's" };
  assert.match(admitted(seen, [account, plan]).message, /^ServiceAccount tiny-agents was refused/);
  assert.deepEqual(told(seen, [account, plan]), [PLAN]);
  // One that is there and only contested holds nothing back.
  const made = seenMade();
  assert.equal(told(made, [account]).length, 1);
  const children = made.children.filter(({ kind }) => kind === "ServiceAccount");
  assert.equal(told({ ...made, children }, [account]).length, 1);
});

it("what is refused of the pods' job while its pods run, or a queue holds it, an Event says", () => {
  assert.deepEqual(told(seenMade(), [pods]), [PODS]);
  const queued = seenMade({}, { queueName: "research" });
  assert.equal(admitted(queued, [pods]).reason, "Queued");
  assert.deepEqual(told(queued, [pods]), [PODS]);
});

it("the same is told once, also beside another, and other words again", () => {
  const seen = seenMade({ refusals: [pods] });
  assert.deepEqual(told(seen, [pods]), []);
  assert.deepEqual(told(seen, [pods, plan]), [PLAN]);
  assert.deepEqual(told(seen, [{ ...pods, message: "no" }]), ["Job tiny-agents was refused: no"]);
});

it("words that are others each time are no reason to look again at once", () => {
  const seen = seenMade({ refusals: [pods] });
  assert.ok(!isNewlyRefused(seen, [{ ...pods, message: "at 10:00:01" }]));
  assert.ok(isNewlyRefused(seen, [pods, plan]));
});
