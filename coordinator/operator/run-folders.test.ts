import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { KubeConfig } from "@kubernetes/client-node";
import { until } from "../../test/faults/patience.ts";
import type { Webhook } from "../../test/kubernetes/cluster.ts";
import { at } from "../../test/kubernetes/json.ts";
import { CHILDREN_OPTIONS } from "../kubernetes/children/options.ts";
import { openLog } from "../observability/log.ts";
import { RunDirectory } from "../run/run-directory.ts";
import { SizesOfJobs } from "../service/queued-run.ts";
import { ServiceRuns } from "../service/service-runs.ts";
import { openSqliteStore } from "../store/sqlite-store.ts";
import { OperatorTerm } from "./operator-term.ts";
import { startOperator, type TestOperator } from "./played-operator-fixture.ts";
import { withRunFolders } from "./run-folders.ts";

const folder = mkdtempSync(join(tmpdir(), "moestro-run-folders-"));
after(() => rmSync(folder, { recursive: true }));

/** Folders of runs that were there when a pods' job was to start, one entry a time. */
function foldersAtStart(operator: TestOperator, runs: string): string[][] {
  const seen: string[][] = [];
  const look: Webhook = (object, operation) => {
    if (object.kind !== "Job" || at(object, "spec", "suspend") !== false) return;
    if (operation === "CREATE" || operation === "UPDATE") seen.push(readdirSync(runs));
  };
  operator.kube.cluster.webhooks.push(look);
  return seen;
}

it("a run has a folder, which only coordinators and agents enter, before its pods' job is made", async () => {
  const runsDirectory = mkdtempSync(join(folder, "runs-"));
  // It leads no more, so that the operator under test is the only one.
  const cluster = await startOperator({ leads: () => false });
  const { kube } = cluster;
  const config = new KubeConfig();
  config.loadFromFile(kube.kubeconfig);
  const folders = foldersAtStart(cluster, runsDirectory);
  const runs = new ServiceRuns({
    store: openSqliteStore(join(folder, "moestro.db")),
    dispatcher: () => undefined,
    look: async () => {},
    directory: (runId) => new RunDirectory(join(runsDirectory, runId)),
    sizes: new SizesOfJobs(),
    now: Date.now,
  });
  const term = new OperatorTerm(
    {
      ...{ config, namespace: "default", installation: CHILDREN_OPTIONS },
      ...{ runs, runsDirectory, authority: kube.authority, log: openLog({ level: "error" }) },
    },
    () => true,
  );
  try {
    await cluster.apply("tiny");
    await until("the pods' job", () => folders.length > 0 || undefined);
    const runId = `tiny-${cluster.cluster.job("tiny")?.metadata.uid}`;
    assert.deepEqual(folders[0], [runId]);
    assert.equal(statSync(join(runsDirectory, runId)).mode & 0o777, 0o700);
    const job = join(runsDirectory, runId, "job.yaml");
    await until("its run, submitted into it", () => existsSync(job) || undefined);
  } finally {
    term.close();
    await term.done;
    await cluster.close();
  }
});

it("a run's folder is there again before its suspended pods' job goes on", async () => {
  const directory = mkdtempSync(join(folder, "runs-"));
  const operator = await startOperator({
    through: ({ writes, runs }) => ({ writes: withRunFolders(writes, directory), runs }),
  });
  try {
    await operator.apply("tiny");
    await operator.untilCondition("tiny", "Admitted", "True");
    operator.runs.move("tiny", { state: "running", numRanks: 4 });
    await operator.untilCondition("tiny", "Running", "True");
    await operator.edit("tiny", { suspend: true });
    await operator.untilCondition("tiny", "Suspended", "True");
    const made = readdirSync(directory);
    assert.equal(made.length, 1);
    rmSync(join(directory, made[0] ?? ""), { recursive: true });
    await operator.untilQuiet("tiny");
    assert.deepEqual(readdirSync(directory), []);
    const folders = foldersAtStart(operator, directory);
    await operator.edit("tiny", { suspend: false });
    await operator.untilCondition("tiny", "Admitted", "True");
    assert.deepEqual(folders[0], made);
    assert.deepEqual(operator.failures, []);
  } finally {
    await operator.close();
  }
});

it("a folder that cannot be made is told as a refusal of the pods' job, and tried again", async () => {
  const blocked = join(folder, "blocked");
  writeFileSync(blocked, "");
  const operator = await startOperator({
    through: ({ writes, runs }) => ({ writes: withRunFolders(writes, blocked), runs }),
  });
  try {
    await operator.apply("tiny");
    const { message } = await operator.untilCondition("tiny", "Admitted", "False", "Refused");
    assert.match(
      message,
      /^Job tiny-agents was refused: \S+blocked\/tiny-\S+: cannot make the run's folder: ENOTDIR: .*; free space, or let the coordinator write there$/,
    );
    assert.equal(operator.agents("tiny"), undefined);
    rmSync(blocked);
    operator.queue.add("tiny");
    await operator.untilCondition("tiny", "Admitted", "True");
    assert.equal(readdirSync(blocked).length, 1);
    operator.runs.move("tiny", { state: "running", numRanks: 4 });
    await operator.edit("tiny", { suspend: true });
    await operator.untilCondition("tiny", "Suspended", "True");
    rmSync(blocked, { recursive: true });
    writeFileSync(blocked, "");
    await operator.edit("tiny", { suspend: false });
    const again = await operator.untilCondition("tiny", "Admitted", "False", "Refused");
    assert.match(again.message, /cannot make the run's folder/);
    assert.deepEqual(operator.failures, []);
  } finally {
    await operator.close();
  }
});
