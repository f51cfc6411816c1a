import assert from "node:assert/strict";
import { it } from "node:test";
import { eventsBetween } from "./job-events.ts";
import type { Condition, ConditionType, JobStatus } from "./job-status.ts";

type Said = [ConditionType, Condition["status"], string, string];

function statusWith(restarts: number, ...said: Said[]): JobStatus {
  const conditions = said.map(([type, status, reason, message]) => ({
    ...{ type, status, reason, message },
    ...{ observedGeneration: 1, lastTransitionTime: "2026-01-01T00:00:00Z" },
  }));
  return { conditions, restarts };
}

const planned: Said = ["Planned", "True", "Planned", "The job has a plan."];
const queued: Said = ["Running", "False", "Queued", "waits for slots"];
const running: Said = ["Running", "True", "Running", "all ranks stand"];
const lost: Said = ["Recovering", "True", "RanksLost", "rank 2 was ended by SIGKILL"];
const starting: Said = ["Running", "False", "Starting", "starts 4 ranks"];

it("a job that comes up and ends tells two things", () => {
  const done: Said = ["Succeeded", "True", "RunSucceeded", "all 240 steps are made"];
  const story = [
    statusWith(0, planned, queued),
    statusWith(0, planned, starting),
    statusWith(0, planned, running),
    statusWith(0, planned, running, done),
  ];
  const told = story.flatMap((now, index) => eventsBetween(story[index - 1], now, 1));
  assert.deepEqual(told, [
    { type: "Normal", reason: "Running", message: "all ranks stand" },
    { type: "Normal", reason: "RunSucceeded", message: "all 240 steps are made" },
  ]);
});

it("a restart is told with what it was for, as long as it was seen", () => {
  const recovering = statusWith(0, planned, lost);
  const [first] = eventsBetween(statusWith(0, planned, running), recovering, 2);
  assert.deepEqual([first?.type, first?.reason], ["Warning", "RanksLost"]);
  const message = "generation 3: rank 2 was ended by SIGKILL";
  const restarted = { type: "Warning", reason: "RanksRestarted", message };
  assert.deepEqual(eventsBetween(recovering, statusWith(1, planned, starting), 3), [restarted]);
  const unseen = eventsBetween(statusWith(0, planned, running), statusWith(1, starting), 3);
  assert.equal(unseen[0]?.message, "generation 3: starts 4 ranks");
});

it("what keeps pods from running is a warning, told once for each reason", () => {
  const quota: Said = ["Running", "False", "QuotaExceeded", "its pods cannot be made"];
  const before = statusWith(0, queued);
  assert.equal(eventsBetween(before, statusWith(0, quota), 0)[0]?.type, "Warning");
  assert.deepEqual(eventsBetween(statusWith(0, quota), statusWith(0, quota), 0), []);
});

it("a spec that fails the job is told once, and one that does not is told too", () => {
  const refused: Said = ["Planned", "False", "NoPlan", "no layout fits 3 nodes"];
  const failed: Said = ["Failed", "True", "NoPlan", "no layout fits 3 nodes"];
  const warning = { type: "Warning", reason: "NoPlan", message: "no layout fits 3 nodes" };
  assert.deepEqual(eventsBetween(undefined, statusWith(0, refused, failed), 0), [warning]);
  assert.deepEqual(eventsBetween(statusWith(0, planned), statusWith(0, refused), 0), [warning]);
});
