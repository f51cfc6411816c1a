import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { type AuditEntry, openAuditLog } from "./audit.ts";

const ENTRY: AuditEntry = {
  ...{ caller: "user:ada", role: "admin", from: "127.0.0.1:5", rpc: "RunService/StopRun" },
  ...{ target: "r\nforged", outcome: "OK", details: "OK" },
};
const now = () => new Date(0);

test("each call is one line of JSON, whatever it is about, in a file of its owner", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "moestro-audit-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "audit.jsonl");
  const failures: string[] = [];
  for (let open = 0; open < 2; open += 1) {
    const log = openAuditLog(path, { now, failed: (why) => failures.push(why) });
    log.write(ENTRY);
    log.close();
  }
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  assert.equal(lines.length, 2);
  assert.deepEqual(JSON.parse(lines[1] ?? ""), { at: "1970-01-01T00:00:00.000Z", ...ENTRY });
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(failures, []);
});

test("a full file makes room for the next, the last ten are kept, and no line of them is lost", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "moestro-audit-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "audit.jsonl");
  const failures: string[] = [];
  // Two coordinators of one machine, and as many lines as fill all that is kept and more.
  const options = { now, failed: (why: string) => failures.push(why), maxBytes: 1000 };
  const logs = [openAuditLog(path, options), openAuditLog(path, options)];
  const numLines = 200;
  for (let line = 0; line < numLines; line += 1) {
    logs[line % 2]?.write({ ...ENTRY, target: String(line) });
    await setImmediate();
  }
  for (const log of logs) log.close();
  assert.deepEqual(failures, []);
  const files = readdirSync(directory).filter((name) => !name.endsWith(".lock"));
  assert.equal(files.length, 11);
  const names = Array.from({ length: 11 }, (_, age) => (age === 0 ? path : `${path}.${age}`));
  const targets = names.reverse().flatMap((name) => {
    assert.ok(statSync(name).size < 1500);
    assert.equal(statSync(name).mode & 0o777, 0o600);
    const lines = readFileSync(name, "utf8").split("\n").slice(0, -1);
    return lines.map((line) => Number(JSON.parse(line).target));
  });
  const first = numLines - targets.length;
  assert.ok(first > 0 && first < numLines - 40);
  assert.deepEqual(
    targets,
    targets.map((_, index) => first + index),
  );
});

test("a file that cannot be renamed goes on taking lines, and is told of once", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "moestro-audit-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "audit.jsonl");
  writeFileSync(`${path}.9`, "");
  mkdirSync(`${path}.10`);
  const failures: string[] = [];
  const log = openAuditLog(path, { now, failed: (why) => failures.push(why), maxBytes: 100 });
  for (let line = 0; line < 3; line += 1) {
    log.write(ENTRY);
    await setImmediate();
  }
  log.close();
  assert.equal(failures.length, 1);
  assert.match(failures[0] ?? "", /cannot be renamed: .*; it goes on growing$/);
  assert.equal(readFileSync(path, "utf8").split("\n").length, 4);
});

test("a full disk is told once and ends nothing", { skip: !existsSync("/dev/full") }, () => {
  const failures: string[] = [];
  const log = openAuditLog("/dev/full", { now, failed: (why) => failures.push(why) });
  log.write(ENTRY);
  log.write(ENTRY);
  log.close();
  assert.equal(failures.length, 1);
  assert.match(failures[0] ?? "", /^\/dev\/full: cannot be written: ENOSPC.*until there is space$/);
});

test("a file that cannot be opened is told with the remedy", () => {
  assert.throws(
    () => openAuditLog("/nowhere/audit.jsonl", { now, failed: () => {} }),
    /^MoestroError: \/nowhere\/audit.jsonl: cannot be opened: ENOENT.*choose another state directory$/,
  );
});
