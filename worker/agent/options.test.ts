import assert from "node:assert/strict";
import { test } from "node:test";
import { parseOptions } from "./options.ts";

const GIVEN = [
  ...["--coordinator", "127.0.0.1:5", "--agent-id", "a", "--credentials", "/c"],
  ...["--python", "/p", "--slots", "4"],
];

test("options are read into the types the agent works with", () => {
  assert.deepEqual(parseOptions([...GIVEN, "--exit-with-parent"]), {
    coordinator: "127.0.0.1:5",
    agentId: "a",
    credentials: "/c",
    python: "/p",
    numSlots: 4,
    ownCredentials: false,
    exitWithParent: true,
  });
});

test("what is missing, unknown or no count is named", () => {
  assert.throws(() => parseOptions(GIVEN.slice(2)), /--coordinator is missing/);
  assert.throws(() => parseOptions([...GIVEN, "--colour"]), /--colour/);
  for (const slots of ["0", "2.5", "many", "-1"]) {
    assert.throws(() => parseOptions([...GIVEN.slice(0, -1), `${slots}`]), /slots/, slots);
  }
});
