import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { isEnded, type RunState } from "../../run/run-state.ts";
import { orphanedRuns } from "../orphaned-runs.ts";
import { assertUndrifted, DRIFTS, type Drift } from "./drift-fixture.ts";
import { isTrue } from "./job-status.ts";
import { type Event, OperatorModel } from "./operator-model-fixture.ts";

type Lists = { policyTypes: string[] };

const MAX_ROUNDS = 30;
const NUM_CHILDREN = 6;

const anySpec = fc.record(
  {
    suspend: fc.boolean(),
    nodes: fc.constantFrom({ max: 1 }, { max: 2 }, { max: 3 }, { max: 4 }, { min: 1, max: 2 }),
    queueName: fc.constantFrom(undefined, "research"),
    template: fc.constantFrom(undefined, { spec: { nodeSelector: { gpu: "h100" } } }),
    ttlSecondsAfterFinished: fc.constantFrom(undefined, 0, 60),
  },
  { requiredKeys: [] },
);

/** What makes the pods is said when a job is made, and never changes. */
const anyBeginning = fc
  .tuple(anySpec, fc.constantFrom("Job", "Job", "JobSet"))
  .map(([spec, childKind]) => ({ ...spec, childKind }));

const STATES: RunState[] = ["running", "recovering", "suspended", "succeeded", "failed"];
const look = fc.record({
  kind: fc.constant("look" as const),
  staleBy: fc.oneof(
    { weight: 3, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.nat({ max: 4 }) },
  ),
  numActions: fc.constantFrom(1, 2, 5, 6, 7, 100, 100, 100),
});

const anyEvent: fc.Arbitrary<Event> = fc.oneof(
  { weight: 8, arbitrary: look },
  {
    weight: 4,
    arbitrary: fc.record({
      ...{ kind: fc.constant("run" as const), counted: fc.boolean() },
      to: fc.constantFrom("running" as const, "running" as const, ...STATES),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("edit" as const), spec: anySpec }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom("admit" as const, "admit" as const, "takeNodes" as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom(...(["deleteChild", "annotateChild", "changeChild"] as const)),
      index: fc.nat({ max: NUM_CHILDREN }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      ...{ kind: fc.constant("driftChild" as const), index: fc.nat({ max: NUM_CHILDREN }) },
      drift: fc.constantFrom(...(Object.keys(DRIFTS) as Drift[])),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom("restartOperator" as const, "forgetRun" as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.nat({ max: 90_000 }) }),
  },
);

/** Looks until there is nothing more to do. */
function settle(model: OperatorModel): void {
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    model.happen({ kind: "wait", ms: 60_000 });
    if (model.run?.state === "suspending")
      model.happen({ kind: "run", to: "suspended", counted: false });
    else if (model.look().length === 0) return;
  }
  assert.fail(`there is always more to do: ${JSON.stringify(model.look())}`);
}

/** Most of what can go wrong does when there is a run already. */
const LOOK: Event = { kind: "look", staleBy: 0, numActions: 100 };
const BEGINNING: Event[] = [
  ...[LOOK, { kind: "admit" } as const, LOOK],
  ...[{ kind: "run", to: "running", counted: false } as const, LOOK],
];
const anyEvents = fc
  .tuple(fc.constantFrom([], BEGINNING), fc.array(anyEvent, { maxLength: 30 }))
  .map(([beginning, events]) => [...beginning, ...events]);
const anyStory = fc.tuple(anyBeginning, fc.boolean(), anyEvents);

type Story = [Record<string, unknown>, boolean, Event[]];

function told([spec, isWebhookThere, events]: Story, isMeddledWith = false) {
  const model = new OperatorModel(spec, isWebhookThere, isMeddledWith);
  for (const event of events) model.happen(event);
  return model;
}

describe("whatever happens, in whatever order, to a job and its operator", () => {
  it("its children and status come to rest as the job and its run say", () =>
    fc.assert(
      fc.property(anyStory, (story) => {
        const model = told(story);
        settle(model);
        const { job = assert.fail(), pods } = model;
        const run = model.run ?? model.forgotten;
        const { status } = job;
        const has = (type: Parameters<typeof isTrue>[1]) => isTrue(status, type);
        const isOver = ["succeeded", "failed", "stopped"].includes(run?.state ?? "");
        assert.ok(model.numSubmitted <= 1, "one run a job");
        assert.equal(has("Running"), run?.state === "running");
        assert.equal(has("Recovering"), run?.state === "recovering");
        assert.ok(!(has("Succeeded") && has("Failed")));
        assert.equal(has("Succeeded"), run?.state === "succeeded");
        if (isOver) assert.ok(has("Succeeded") || has("Failed"));
        if (isOver || has("Suspended")) assert.equal(pods.length, 0);
        assert.equal(status?.nodes, pods.length);
        if (has("Planned") && !isOver) {
          const without = job.spec.suspend === true && model.agents() === undefined ? 1 : 0;
          assert.equal(model.children().length, NUM_CHILDREN - without);
          assert.equal(has("Admitted"), model.agents()?.spec.suspend === false);
          if (has("Admitted")) {
            assert.equal(pods.length, (job.spec.nodes as { max: number }).max);
            assert.ok(run !== undefined && run.state !== "suspended");
          }
          for (const child of model.children()) {
            const { kind, spec } = child;
            if (kind === "NetworkPolicy") assert.equal((spec as Lists).policyTypes.length, 2);
            // Between two sizes it is left alone.
            if (kind !== "PodDisruptionBudget" || run?.numRanks !== 0) assertUndrifted(child);
          }
        }
        // Also while the spec is refused.
        if (job.spec.suspend === true) assert.equal(pods.length, 0);
        const suspended = !has("Admitted") || isOver;
        if (run !== undefined && suspended && has("Planned")) {
          assert.ok(isOver || run.state === "suspended", run.state);
        }
      }),
    ));

  it("an admission webhook that changes at every write what is said is not fought", () =>
    fc.assert(
      fc.property(anyStory, (story) => {
        const model = told(story, true);
        settle(model);
        assert.deepEqual(model.look(), []);
      }),
    ));

  it("every failure is counted once, as the coordinator counts it", () =>
    fc.assert(
      fc.property(anyStory, (story) => {
        const model = told(story);
        settle(model);
        const { job, numAdmissions } = model;
        const run = model.run ?? model.forgotten;
        assert.equal(job?.status?.restarts, run?.restarts ?? 0);
        assert.equal(job?.status?.restartsCounted, run?.countedRestarts ?? 0);
        assert.ok((job?.status?.executionAttempt ?? 0) <= numAdmissions);
      }),
    ));

  it("a job that is deleted leaves nothing, also if the operator has not noticed", () =>
    fc.assert(
      fc.property(anyStory, fc.array(look, { maxLength: 5 }), (story, looks) => {
        const model = told(story);
        model.happen({ kind: "deleteJob" });
        for (const each of looks) model.happen(each);
        assert.deepEqual([model.children(), model.pods], [[], []]);
        const { run } = model;
        if (run === undefined) return;
        const left = orphanedRuns([{ runId: "tiny-0f9c", state: run.state }], []);
        assert.equal(left.length, isEnded(run.state) ? 0 : 1);
      }),
    ));
});
