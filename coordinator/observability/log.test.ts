import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { type Log, type LogFields, openLog } from "./log.ts";
import { prettyLine } from "./pretty-lines.ts";

const folder = mkdtempSync(join(tmpdir(), "moestro-log-"));
after(() => rmSync(folder, { recursive: true }));

/** The lines that `write` leaves in a file. */
async function lines(options: { pretty?: boolean }, write: (log: Log) => void): Promise<string[]> {
  const path = join(folder, "log");
  const fd = openSync(path, "w");
  const log = openLog({ level: "info", fd, ...options });
  write(log);
  await new Promise((resolve) => setTimeout(resolve, 100));
  closeSync(fd);
  return readFileSync(path, "utf8").split("\n").slice(0, -1);
}

test("a line is JSON: when, how grave, a sentence, and what it is about", async () => {
  const [line = "", ...rest] = await lines({}, (log) => {
    log.debug("Not at this level.");
    log.warn("Agent b is silent.", { run: "r", epoch: 3, agent: "b", generation: 2 });
  });
  assert.deepEqual(rest, []);
  const { time, ...written } = JSON.parse(line);
  assert.match(time, /^\d{4}-\d\d-\d\dT.*Z$/);
  assert.deepEqual(written, {
    ...{ level: "warn", run: "r", epoch: 3, agent: "b", generation: 2 },
    message: "Agent b is silent.",
  });
});

test("a secret that is passed against the rules is not written", async () => {
  const fields = { token: "t0p", peer: { key: "s3cret", authorization: "b34rer" } } as LogFields;
  const [line = ""] = await lines({}, (log) => log.info("An agent joins.", fields));
  assert.doesNotMatch(line, /t0p|s3cret|b34rer/);
});

test("our own mistake comes with its stack", async () => {
  const [line = ""] = await lines({}, (log) => log.error("It broke.", { error: new Error("oh") }));
  assert.match(JSON.parse(line).error.stack, /^Error: oh\n/);
});

test("a person at a terminal gets short lines", async () => {
  const [line = ""] = await lines({ pretty: true }, (log) =>
    log.info("Leads under epoch 3.", { epoch: 3 }),
  );
  assert.match(line, /^\d\d:\d\d:\d\d info {2}Leads under epoch 3\. epoch=3$/);
});

test("what others wrote cannot steer the terminal", () => {
  const line = JSON.stringify({
    time: "2026-11-24T05:30:00Z",
    level: "info",
    message: "\u001b[2Jx",
  });
  assert.equal(prettyLine(line), "05:30:00 info  x\n");
});

const MODULE = new URL("./log.ts", import.meta.url);
const PROGRAM = `
  import { openLog } from ${JSON.stringify(MODULE.href)};
  const log = openLog({ level: "info" });
  log.info("One.");
  setTimeout(() => { log.info("Two."); process.exitCode = 7; }, 50);
`;

test("a full disk loses lines and nothing else: the process goes on, and ends", {
  skip: process.platform !== "linux",
}, async () => {
  const full = openSync("/dev/full", "w");
  const args = ["--input-type=module", "--eval", PROGRAM];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", full] });
  const [code] = await once(child, "exit");
  closeSync(full);
  assert.equal(code, 7);
});

test("the last lines before an end are written", async () => {
  const args = ["--input-type=module", "--eval", PROGRAM];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
  const written = (await child.stderr?.toArray())?.join("") ?? "";
  assert.match(written, /One\..*\n.*Two\..*\n$/);
});
