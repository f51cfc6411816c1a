import assert from "node:assert/strict";
import { test } from "node:test";
import { RunState } from "../../proto/gen/moestro/v1/run_pb.js";
import { EXIT_CODES } from "../errors.ts";
import { decideRecovery, type Failure } from "../run/recovery.ts";
import { EXIT_CODE_HELP, exitCodeOf } from "./exit-codes.ts";

const failure: Failure = { cause: "rank", reason: "rank 1 ended", fromStep: 4, lastStep: 4 };

function codeAfter(failures: readonly Failure[], maxRestarts: number): number {
  const options = { maxRestarts, maxWithoutProgress: 3 };
  const { reason } = decideRecovery({ failures, countedRestarts: failures.length }, options);
  return exitCodeOf({ state: RunState.FAILED, reason });
}

test("a run that restarts brought no further is told from one that used up its restarts", () => {
  assert.equal(codeAfter([failure, failure, failure, failure], 10), EXIT_CODES.stuck);
  assert.equal(codeAfter([failure], 1), EXIT_CODES.run_failed);
});

test("every exit code is in the help", () => {
  for (const code of Object.values(EXIT_CODES)) {
    assert.match(EXIT_CODE_HELP, new RegExp(`^ {2}${code} +[a-z]`, "m"));
  }
});
