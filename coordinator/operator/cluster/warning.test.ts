import assert from "node:assert/strict";
import { it } from "node:test";
import { jobWith } from "../reconcile/job-fixture.ts";
import type { ObservedObject } from "../reconcile/observation.ts";
import { jobNameOf, messagesOf, podsJobNames, warningOf } from "./warning.ts";

const NOW_MS = Date.parse("2026-01-01T00:10:00Z");

function warning(uid: string, message: string, lastTimestamp: string): ObservedObject {
  return warningOf({
    ...{ apiVersion: "v1", kind: "Event", message, lastTimestamp },
    metadata: { name: `e.${message}`, uid: message, resourceVersion: "1" },
    involvedObject: { kind: "Job", name: "tiny-agents", uid },
  });
}

function agents(kind: string): ObservedObject {
  const metadata = { name: "tiny-agents", uid: "now", resourceVersion: "1" };
  return { apiVersion: "batch/v1", kind, metadata };
}

it("warnings that hold are of the job that there is, the newest first, and not old", () => {
  const all = [
    warning("now", "first", "2026-01-01T00:08:00Z"),
    warning("now", "second", "2026-01-01T00:09:00Z"),
    warning("now", "old", "2026-01-01T00:04:00Z"),
    warning("before", "another's", "2026-01-01T00:09:30Z"),
  ];
  assert.deepEqual(messagesOf(all, agents("Job"), NOW_MS), ["second", "first"]);
  // Whose job has a uid that is not watched.
  assert.equal(messagesOf(all, agents("JobSet"), NOW_MS)[0], "another's");
  assert.deepEqual(messagesOf(all, undefined, NOW_MS), []);
});

it("the job of the pods, and that of a JobSet, are known by their names", () => {
  for (const name of podsJobNames(jobWith())) assert.equal(jobNameOf(name), "tiny");
  assert.equal(jobNameOf("another"), undefined);
});
