import assert from "node:assert/strict";
import { it } from "node:test";
import { isIgnored } from "./ignore-file.ts";

it("a .dockerignore is read as Docker reads it", () => {
  const file = "# all\n*\n!bin\n!worker\n**/*.test.ts\nworker/engine/.*\n";
  const ignored = (path: string) => isIgnored(path, file);
  assert.deepEqual(["bin", "bin/a.mjs", "worker/x/y.ts"].filter(ignored), []);
  const out = ["docs", "docs/a.md", "bin/a.test.ts", "worker/engine/.cache/x"];
  assert.deepEqual(out.filter(ignored), out);
});
