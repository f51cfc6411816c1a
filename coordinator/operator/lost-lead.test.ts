import assert from "node:assert/strict";
import { it } from "node:test";
import { until } from "../../test/faults/patience.ts";
import { startOperator } from "./played-operator-fixture.ts";

it("an operator that leads no more writes nothing more, also in the middle of a look", async () => {
  let numAsked = 0;
  const operator = await startOperator({
    leads: () => {
      numAsked += 1;
      return numAsked <= 2;
    },
  });
  try {
    await operator.apply("lost");
    await until("another look", () => numAsked > 3 || undefined);
    const job = operator.cluster.job("lost") ?? assert.fail();
    assert.equal(operator.cluster.children(job).length, 2);
    assert.equal(job.status, undefined);
  } finally {
    await operator.close();
  }
});
