import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
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
