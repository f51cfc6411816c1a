import assert from "node:assert/strict";
import { it } from "node:test";
import { until } from "../../test/faults/patience.ts";
import { JOB_LABEL } from "../kubernetes/children/identity.ts";
import type { ClusterWrites } from "./cluster/cluster-writes.ts";
import type { Runs } from "./job-looks.ts";
import { startOperator, type TestOperator } from "./played-operator-fixture.ts";
import { jobOf } from "./played-runs-fixture.ts";

/** Kills the operator once when it has made so many writes to a job as the job's name says. */
class Killer {
  readonly numWrites = new Map<string, number>();
  readonly killed = new Set<string>();
  kill: () => void = () => {};

  async around<Result>(name: string, write: () => Promise<Result>): Promise<Result> {
    const count = (this.numWrites.get(name) ?? 0) + 1;
    this.numWrites.set(name, count);
    const written = await write();
    if (name !== nameOf(count)) return written;
    this.killed.add(name);
    this.kill();
    throw new Error(`killed after write ${count}`);
  }

  through({ writes, runs }: { writes: ClusterWrites; runs: Runs }) {
    return {
      writes: {
        ...writes,
        applyChild: (child, version) =>
          this.around(child.metadata.labels?.[JOB_LABEL] ?? "", () =>
            writes.applyChild(child, version),
          ),
        patchStatus: (job, status) =>
          this.around(job.metadata.name, () => writes.patchStatus(job, status)),
      } satisfies ClusterWrites,
      runs: {
        find: (runId: string) => runs.find(runId),
        wish: (action) => this.around(jobOf(action.runId), () => runs.wish(action)),
      } satisfies Runs,
    };
  }
}

function nameOf(numWrites: number): string {
  return `after-${numWrites}`;
}

/** Submitted, suspended, resumed and ended, each when the one before has shown. */
async function live(operator: TestOperator, name: string): Promise<void> {
  const { runs } = operator;
  await operator.apply(name);
  await operator.untilCondition(name, "Admitted", "True");
  const train = async () => {
    await until(`${name}: a run`, () => runs.of(name)?.state === "queued" || undefined);
    runs.move(name, { state: "running", numRanks: 4 });
    await operator.untilCondition(name, "Running", "True");
  };
  await train();
  await operator.edit(name, { suspend: true });
  await operator.untilCondition(name, "Suspended", "True");
  await operator.edit(name, { suspend: false });
  await train();
  runs.move(name, { state: "succeeded", reason: "all 240 steps are made", numRanks: 0 });
  await operator.untilCondition(name, "Succeeded", "True");
}

it("an operator killed after any of its writes goes on as if it had not been", async () => {
  const killer = new Killer();
  const operator = await startOperator({ through: (parts) => killer.through(parts) });
  killer.kill = () => operator.restart();
  try {
    await live(operator, "whole");
    await operator.untilQuiet("whole");
    const numWrites = killer.numWrites.get("whole") ?? 0;
    const names = Array.from({ length: numWrites }, (_, index) => nameOf(index + 1));
    await Promise.all(names.map((name) => live(operator, name)));
    assert.deepEqual([...killer.killed].sort(), names.toSorted());
    for (const name of names) {
      await until(`${name}: its nodes back`, () => operator.agents(name)?.spec.suspend === true);
      const job = operator.cluster.job(name) ?? assert.fail();
      assert.equal(operator.cluster.children(job).length, 6);
      const { executionAttempt, restarts, restartsCounted } = job.status ?? {};
      assert.deepEqual([name, executionAttempt, restarts, restartsCounted], [name, 2, 0, 0]);
    }
  } finally {
    await operator.close();
  }
});
