import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { RunDirectory } from "../run/run-directory.ts";
import { SizesOfJobs } from "../service/queued-run.ts";
import { ServiceRuns } from "../service/service-runs.ts";
import { openSqliteStore } from "../store/sqlite-store.ts";
import { coordinatorRuns } from "./coordinator-runs.ts";
import { judgeSpec } from "./judge/judge-spec.ts";
import { jobWith } from "./reconcile/job-fixture.ts";

const folder = mkdtempSync(join(tmpdir(), "moestro-operator-runs-"));
after(() => rmSync(folder, { recursive: true }));

const service = new ServiceRuns({
  store: openSqliteStore(join(folder, "moestro.db")),
  dispatcher: () => undefined,
  look: async () => {},
  directory: (runId) => new RunDirectory(join(folder, runId)),
  sizes: new SizesOfJobs(),
  now: () => 0,
});
const runs = coordinatorRuns(service, "research");

async function submission(runId: string, minRanks: number, maxRanks: number) {
  const verdict = await judgeSpec(jobWith(), folder, async () => "{}");
  assert.ok(verdict.kind === "planned");
  const { jobJson } = verdict;
  return { kind: "submitRun", runId, jobJson, minRanks, maxRanks, maxRestarts: 1 } as const;
}

it("what the coordinator cannot take is given back in its words", async () => {
  const wide = await runs.wish(await submission("wide", 1, 5_000));
  assert.ok(wide.kind === "refused");
  assert.equal(wide.code, "invalid_input");
  assert.match(wide.lines.join("\n"), /^1 to 5000 ranks: give at most/);
  assert.equal(await runs.find("wide"), undefined);
});

it("a run that another operator submitted for the job is taken; one of others is refused", async () => {
  const mine = await submission("tiny-0f9c", 4, 4);
  for (let time = 0; time < 2; time += 1) assert.deepEqual(await runs.wish(mine), { kind: "done" });
  assert.equal((await runs.find("tiny-0f9c"))?.maxRanks, 4);
  const refused = await coordinatorRuns(service, "other").wish(mine);
  assert.ok(refused.kind === "refused");
  assert.equal(refused.code, "in_use");
  const scaled = await runs.wish({ ...mine, kind: "scaleRun", minRanks: 1, maxRanks: 200_000 });
  assert.equal(scaled.kind, "refused");
});
