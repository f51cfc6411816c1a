// Checks what no linter does: no unfinished work, no skipped test, no type that
// is hidden, no path of one person's machine in what is committed.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** Spelled apart, so that this file does not find itself. */
const FORBIDDEN: [pattern: RegExp, rule: string][] = [
  [new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME", "XX" + "X"].join("|")})\\b`), "unfinished work"],
  [/\b(test|it|describe)\.(skip|only|todo)\(/, "a test that does not run"],
  [
    /pytest\.mark\.(skip|skipif|xfail)|pytest\.(skip|xfail|importorskip)\(/,
    "a test that does not run",
  ],
  [
    new RegExp(`@ts-(ignore|nocheck|expect-error)|(\\bas|:|<) ?${"an" + "y"}\\b(?! )`),
    "a hidden type",
  ],
  [/#\s*type:\s*ignore/, "a hidden type"],
];
const CHECKED = /\.(ts|mjs|py|proto|ya?ml|md|html|css|json)$/;
const SKIPPED = /^(package-lock\.json|proto\/gen\/|worker\/engine\/moestro\/v1\/)/;

const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
  cwd: ROOT,
  encoding: "utf8",
})
  .split("\n")
  .filter((file) => CHECKED.test(file) && !SKIPPED.test(file));
const found = files.flatMap((file) =>
  readFileSync(join(ROOT, file), "utf8")
    .split("\n")
    .flatMap((line, index) =>
      FORBIDDEN.filter(([pattern]) => pattern.test(line)).map(
        ([, rule]) => `${file}:${index + 1}: ${rule}: ${line.trim().slice(0, 80)}`,
      ),
    ),
);
for (const line of found) console.error(line);
if (found.length === 0) console.log(`${files.length} files hold no unfinished work`);
process.exitCode = found.length === 0 ? 0 : 1;
