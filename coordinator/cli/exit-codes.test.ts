import assert from "node:assert/strict";
import { test } from "node:test";
import { RunState } from "../../proto/gen/moestro/v1/run_pb.js";
import { EXIT_CODES } from "../errors.ts";
import { EXIT_CODE_HELP, exitCodeOf } from "./exit-codes.ts";

test("a run that failed has the code of its cause, and one that did not has none", () => {
  assert.equal(exitCodeOf({ state: RunState.FAILED, exitCode: EXIT_CODES.stuck }), 6);
  // Of a coordinator that does not tell.
  assert.equal(exitCodeOf({ state: RunState.FAILED, exitCode: 0 }), EXIT_CODES.run_failed);
  assert.equal(exitCodeOf({ state: RunState.STOPPED, exitCode: 0 }), 0);
});

test("every exit code is in the help", () => {
  for (const code of Object.values(EXIT_CODES)) {
    assert.match(EXIT_CODE_HELP, new RegExp(`^ {2}${code} +[a-z]`, "m"));
  }
});
