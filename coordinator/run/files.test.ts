import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { replaceFile, WriteError, writeAtomically } from "./files.ts";

const directory = mkdtempSync(join(tmpdir(), "moestro-files-"));
after(() => rmSync(directory, { recursive: true }));

test("what can neither be written nor removed is a write that may succeed later", () => {
  const path = join(directory, "manifest.json");
  // A folder cannot be written, and is not removed as a file.
  mkdirSync(`${path}.partial`);
  for (const write of [writeAtomically, replaceFile]) {
    assert.throws(() => write(path, "new"), WriteError);
  }
  rmSync(`${path}.partial`, { recursive: true });
  writeAtomically(path, "new");
  assert.equal(readFileSync(path, "utf8"), "new");
});
