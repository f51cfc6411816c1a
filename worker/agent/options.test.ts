import assert from "node:assert/strict";
import { hostname } from "node:os";
import { test } from "node:test";
import { parseOptions } from "./options.ts";

const GIVEN = [
  ...["--coordinator", "127.0.0.1:5", "--agent-id", "a", "--credentials", "/c"],
  ...["--python", "/p", "--slots", "4"],
];

test("options are read into the types the agent works with", () => {
  const more = ["--address", "10.0.0.7", "--probe-listen", "0.0.0.0:0"];
  const flags = ["--interface", "eth1", "--exit-with-parent"];
  assert.deepEqual(parseOptions([...GIVEN, ...more, ...flags]), {
    coordinators: ["127.0.0.1:5"],
    agentId: "a",
    credentials: "/c",
    token: undefined,
    tokenFiles: undefined,
    joinAddresses: [],
    python: "/p",
    numSlots: 4,
    address: "10.0.0.7",
    probeListen: { host: "0.0.0.0", port: 0 },
    networkInterface: "eth1",
    printLogs: false,
    leaveMs: 60_000,
    ownCredentials: false,
    exitWithParent: true,
  });
});

test("what is not given is found out later, and the agent is called after its host", () => {
  const options = parseOptions(["--coordinator", "c:1"]);
  assert.match(options.credentials, new RegExp(`/agents/${hostname()}$`));
  const { numSlots, address, probeListen } = options;
  assert.deepEqual([numSlots, address, probeListen], Array(3).fill(undefined));
  assert.equal(options.agentId, hostname());
  assert.match(options.python, /python/);
});

test("several coordinators are given with commas, or one after the other", () => {
  const args = ["--coordinator", "a:1,[::1]:2", "--coordinator", "c:3", "--credentials", "/c"];
  assert.deepEqual(parseOptions(args).coordinators, ["a:1", "[::1]:2", "c:3"]);
});

const MISTAKES: [args: string[], message: RegExp][] = [
  [["--credentials", "/c"], /^--coordinator is missing/],
  [[...GIVEN, "--coordinator", "nowhere"], /^--coordinator "nowhere": give host:port/],
  [[...GIVEN, "--coordinator", "c:99999"], /^--coordinator "c:99999": give host:port/],
  [[...GIVEN, "--agent-id", "a b"], /^--agent-id a b: give up to 63 letters/],
  [[...GIVEN, "--slots", "0"], /^--slots 0: give a whole number from 1 to/],
  [[...GIVEN, "--address", "10.0.0.1:80"], /^--address 10.0.0.1:80: .*without a port$/],
  [[...GIVEN, "--leave-seconds", "1.5"], /^--leave-seconds 1.5: give whole seconds from 0 to/],
  [[...GIVEN, "--probe-listen", "7000"], /^--probe-listen "7000": give host:port/],
  [[...GIVEN, "--colour"], /--colour/],
  [[...GIVEN, "--token-file", "/t"], /^--token-file: give --authority too/],
  [[...GIVEN, "--authority", "/a"], /^--authority: .*give --token-file too/],
  [
    [...GIVEN, "--token-file", "/t", "--authority", "/a", "--token", "t"],
    /^--token-file: .*with it or with --token; give one of the two$/,
  ],
  ...["0", "2.5", "many", "-1", ""].map((slots): [string[], RegExp] => [
    [...GIVEN, `--slots=${slots}`],
    /^--slots .*: give a whole number from 1/,
  ]),
];

for (const [args, message] of MISTAKES) {
  test(`${args.slice(-2).join(" ")} is answered with one line: ${message.source}`, () => {
    assert.throws(
      () => parseOptions(args),
      (error: Error) => message.test(error.message) && !error.message.includes("\n"),
    );
  });
}
