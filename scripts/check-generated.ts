// Checks that the generated types of both languages are what the .proto files
// say now: generates them into an empty folder and compares.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const FOLDERS = ["proto/gen/moestro/v1", "worker/engine/moestro/v1"];

const fresh = mkdtempSync(join(tmpdir(), "moestro-proto-"));
const stale: string[] = [];
try {
  execFileSync(join(ROOT, "node_modules/.bin/buf"), ["generate", "--output", fresh], {
    cwd: ROOT,
    stdio: ["ignore", "inherit", "inherit"],
  });
  for (const folder of FOLDERS) {
    const names = new Set([...list(join(ROOT, folder)), ...list(join(fresh, folder))]);
    for (const name of names) {
      const [here, there] = [join(ROOT, folder, name), join(fresh, folder, name)];
      if (read(here) !== read(there)) stale.push(`${folder}/${name}`);
    }
  }
} finally {
  rmSync(fresh, { recursive: true });
}
for (const file of stale) console.error(`${file}: is not what proto/ says; run: npm run proto`);
if (stale.length === 0) console.log("generated types are current");
process.exitCode = stale.length === 0 ? 0 : 1;

function list(folder: string): string[] {
  return readdirSync(folder).filter((name) => name !== "__pycache__");
}

function read(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}
