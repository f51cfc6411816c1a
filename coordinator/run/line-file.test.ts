import assert from "node:assert/strict";
import {
  closeSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { WriteError } from "./files.ts";
import { LineFile } from "./line-file.ts";

const directory = mkdtempSync(join(tmpdir(), "moestro-line-file-"));
after(() => rmSync(directory, { recursive: true }));

const OPEN_FILES = "/proc/self/fd";
const skip = existsSync(OPEN_FILES) ? false : `needs ${OPEN_FILES}, to find an open file`;

test("a file that fails, in writing or in closing, is opened anew for the next line", {
  skip,
}, () => {
  const path = join(directory, "lines");
  const file = new LineFile(path);
  file.append({ line: 1 });
  closeSync(openAs(path));
  // Its number is nobody's, or another file's.
  assert.throws(() => file.append({ line: 2 }), WriteError);
  file.append({ line: 2 });
  closeSync(openAs(path));
  file.close();
  file.append({ line: 3 });
  file.close();
  assert.equal(readFileSync(path, "utf8"), '{"line":1}\n{"line":2}\n{"line":3}\n');
});

function openAs(path: string): number {
  const { ino } = statSync(path);
  const isIt = (name: string) => {
    try {
      return statSync(join(OPEN_FILES, name)).ino === ino;
    } catch {
      return false;
    }
  };
  return Number(readdirSync(OPEN_FILES).find(isIt));
}
