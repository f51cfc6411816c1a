import assert from "node:assert/strict";
import { it } from "node:test";
import type { MoETrainingJob } from "../moe-training-job.ts";
import { NO_UID } from "../run-id.ts";
import { CHILDREN_OPTIONS } from "./options.ts";
import { runOf, runsMounts, runsVolume } from "./runs-mounts.ts";

const jobOf = (metadata: object) => ({ metadata }) as MoETrainingJob;

it("pods read all runs, and write in their own run's folder alone", () => {
  const options = { ...CHILDREN_OPTIONS, runsPath: "/mnt", runsClaim: "shared" };
  const [all, own, ...others] = runsMounts(jobOf({ name: "tiny", uid: "0f9c" }), options);
  assert.deepEqual(all, { name: "runs", mountPath: "/mnt", readOnly: true });
  assert.deepEqual(own, { name: "runs", mountPath: "/mnt/tiny-0f9c", subPath: "tiny-0f9c" });
  assert.deepEqual(others, []);
  assert.deepEqual(runsVolume(options), {
    ...{ name: "runs", persistentVolumeClaim: { claimName: "shared" } },
  });
});

it("a job that is in no cluster is shown with a folder that no run has", () => {
  assert.equal(runOf(jobOf({ name: "tiny" })), `tiny-${NO_UID}`);
});
