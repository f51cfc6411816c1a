import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decideRecovery, type Failure, type RecoveryState } from "./recovery.ts";

const OPTIONS = { maxRestarts: 5, maxWithoutProgress: 3 };

const failure = (change: Partial<Failure> = {}): Failure => ({
  ...{ cause: "rank", reason: "rank 1 was ended by SIGKILL", fromStep: 4, lastStep: 6 },
  ...change,
});

const state = (failures: Failure[], countedRestarts = 0): RecoveryState => ({
  failures,
  countedRestarts,
});

test("a rank that died is started again, and that counts", () => {
  const { decision, counts, reason } = decideRecovery(state([failure()], 2), OPTIONS);
  assert.equal(decision, "restart");
  assert.equal(counts, true);
  assert.match(reason, /rank 1 was ended by SIGKILL; restart 3 of at most 5/);
});

test("the loss of a node does not count", () => {
  const lost = failure({ cause: "agent", reason: "agent b is lost" });
  const { decision, counts } = decideRecovery(state([lost], 5), OPTIONS);
  assert.deepEqual([decision, counts], ["restart", false]);
});

test("what the user must mend is not retried", () => {
  const { decision, reason } = decideRecovery(
    state([failure({ cause: "user", reason: "data: token 300 of 256" })]),
    OPTIONS,
  );
  assert.equal(decision, "give-up");
  assert.equal(reason, "data: token 300 of 256");
});

test("the limit ends it", () => {
  const { decision, reason } = decideRecovery(state([failure()], 5), OPTIONS);
  assert.equal(decision, "give-up");
  assert.match(reason, /SIGKILL; 5 restarts did not help/);
});

test("a run that may not restart ends with its first failure's own words", () => {
  const { decision, reason } = decideRecovery(state([failure()]), { ...OPTIONS, maxRestarts: 0 });
  assert.deepEqual([decision, reason], ["give-up", "rank 1 was ended by SIGKILL"]);
});

test("three starts that fail at the same step end it, whatever the limit", () => {
  const same = failure({ reason: "step 7: the loss is not finite" });
  const many = { ...OPTIONS, maxRestarts: 100 };
  assert.equal(decideRecovery(state([same, same]), many).decision, "restart");
  const last = decideRecovery(state([same, same, same]), many);
  assert.equal(last.decision, "give-up");
  assert.equal(last.stuck, true);
  assert.match(last.reason, /no progress in 3 starts, each ended by step 7: step 7: the loss/);
});

test("starts that make no step at all are no progress", () => {
  const none = failure({ fromStep: 0, lastStep: 0 });
  assert.equal(decideRecovery(state([none, none, none]), OPTIONS).stuck, true);
});

test("a checkpoint between failures is progress", () => {
  const steps = [0, 10, 20, 30, 40].map((fromStep) =>
    failure({ fromStep, lastStep: fromStep + 12 }),
  );
  assert.equal(decideRecovery(state(steps), OPTIONS).decision, "restart");
});

test("no history is retried more than the limits allow", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          cause: fc.constantFrom("rank", "agent", "hang") as fc.Arbitrary<Failure["cause"]>,
          reason: fc.constant("it failed"),
          fromStep: fc.constant(0),
          lastStep: fc.integer({ min: 0, max: 4 }),
        }),
        { minLength: 20, maxLength: 40 },
      ),
      (failures) => {
        // From the same checkpoint, with at most 4 steps, at most 4 generations are progress.
        const endings = failures.map((_, index) =>
          decideRecovery(state(failures.slice(0, index + 1)), { ...OPTIONS, maxRestarts: 100 }),
        );
        assert.ok(endings.some(({ decision }) => decision === "give-up"));
      },
    ),
  );
});
