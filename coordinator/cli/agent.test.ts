import assert from "node:assert/strict";
import { test } from "node:test";
import { parseOptions } from "../../worker/agent/options.ts";
import { agentArguments, agentCommand } from "./agent.ts";

/** Options the agent's process has for whoever starts it, and people have no use for. */
const POD_VALUES = { "--token-file": "/t", "--authority": "/a.crt" };
const TOKEN_VALUES = { "--token": "t" };
const FLAGS = ["--print-logs"];
const VALUES: Record<string, string> = {
  "--coordinator": "a:1,b:2",
  "--join": "a:2",
  "--agent-id": "node-a",
  "--credentials": "/c",
  "--slots": "4",
  "--address": "10.0.0.1",
  "--interface": "eth0",
  "--probe-listen": "10.0.0.1:0",
  "--leave-seconds": "30",
  "--python": "/p",
};

function given(...args: string[]) {
  const command = agentCommand().exitOverride();
  command.parseOptions(args);
  return parseOptions(agentArguments(command));
}

test("the agent takes every option that the command has", () => {
  const longs = agentCommand().options.map(({ long }) => long ?? "");
  const all = { ...VALUES, ...TOKEN_VALUES, ...POD_VALUES };
  assert.deepEqual(longs.sort(), [...Object.keys(all), ...FLAGS].sort());
  const taken = {
    ...{ coordinators: ["a:1", "b:2"], agentId: "node-a", credentials: "/c" },
    ...{ joinAddresses: ["a:2"], python: "/p", numSlots: 4 },
    ...{ address: "10.0.0.1", probeListen: { host: "10.0.0.1", port: 0 } },
    ...{ networkInterface: "eth0", ownCredentials: false, exitWithParent: false },
    ...{ printLogs: true, leaveMs: 30_000 },
  };
  assert.deepEqual(given(...FLAGS, ...Object.entries({ ...VALUES, ...TOKEN_VALUES }).flat()), {
    ...{ ...taken, token: "t", tokenFiles: undefined },
  });
  assert.deepEqual(given(...FLAGS, ...Object.entries({ ...VALUES, ...POD_VALUES }).flat()), {
    ...{ ...taken, token: undefined, tokenFiles: { token: "/t", authority: "/a.crt" } },
  });
});

test("the agent's own one-line errors are what a person reads", () => {
  assert.throws(() => given("--coordinator", "a:1", "--slots", "-1"), {
    code: "invalid_input",
    message: "--slots -1: give a whole number from 1 to 1024",
  });
  assert.throws(() => given(), /^MoestroError: --coordinator is missing/);
});
