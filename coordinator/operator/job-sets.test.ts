import assert from "node:assert/strict";
import { it } from "node:test";
import { until } from "../../test/faults/patience.ts";
import { startOperator } from "./played-operator-fixture.ts";
import { agentsIn } from "./reconcile/agents.ts";
import { JOB_SETS } from "./reconcile/job-set-fixture.ts";

it("a JobSet of another size is made when the run has let go of the nodes of the old one", async () => {
  const operator = await startOperator({ hasJobSets: true, crds: [JOB_SETS] });
  const { runs } = operator;
  try {
    await operator.apply("sets", { childKind: "JobSet" });
    await operator.untilCondition("sets", "Admitted", "True");
    runs.move("sets", { state: "running", numRanks: 4 });
    await operator.untilCondition("sets", "Running", "True");
    const first = operator.agents("sets");
    assert.equal(first?.kind, "JobSet");
    await operator.edit("sets", { nodes: { max: 4 } });
    await until("another", () => {
      const now = operator.agents("sets");
      return (now !== undefined && now.metadata.uid !== first.metadata.uid) || undefined;
    });
    await until("the run", () => runs.of("sets")?.state === "queued" || undefined);
    await operator.untilQuiet("sets");
    assert.equal(agentsIn([operator.agents("sets") ?? assert.fail()])?.numPods, 4);
    const wishes = ["submitRun", "suspendRun", "scaleRun", "resumeRun"];
    assert.deepEqual(runs.wishesFor("sets"), wishes);
    assert.equal(runs.of("sets")?.maxRanks, 8);
    assert.deepEqual(operator.failures, []);
  } finally {
    await operator.close();
  }
});

it("a JobSet where there are none fails the job, and what to do is told", async () => {
  const operator = await startOperator();
  try {
    await operator.apply("none", { childKind: "JobSet" });
    const { message } = await operator.untilCondition("none", "Failed", "True", "NoJobSets");
    assert.match(
      message,
      /^spec\.childKind: JobSet: this cluster has no JobSets; install JobSet, or use Job$/m,
    );
    assert.equal(operator.condition("none", "Planned")?.reason, "NoJobSets");
    assert.deepEqual(operator.failures, []);
  } finally {
    await operator.close();
  }
});
