import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { orphanedRuns } from "./orphaned-runs.ts";

describe("runs without a job", () => {
  it("are those of deleted jobs, also where another has the name now", () => {
    const submitted = [
      { runId: "tiny-old", state: "running" as const },
      { runId: "tiny-new", state: "queued" as const },
      { runId: "other-gone", state: "succeeded" as const },
    ];
    assert.deepEqual(orphanedRuns(submitted, [{ name: "tiny", uid: "new" }]), ["tiny-old"]);
  });
});
