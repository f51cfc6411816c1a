// Runs every check and every test of both languages, then prints one line with
// the sum. Suites may be named: node scripts/test.mjs lint unit engine e2e faults
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const node = join(root, "node_modules/.bin/node");
const python = process.env.MOESTRO_PYTHON ?? join(root, ".venv/bin/python");
const scratch = mkdtempSync(join(tmpdir(), "moestro-test-"));

/** Runs a command with its output on the terminal; true if it ended well. */
function succeeds(command, args, env = {}) {
  console.log(`\n> ${[relative(root, command) || command, ...args].join(" ")}`);
  const options = { cwd: root, stdio: ["ignore", "inherit", "inherit"] };
  // Every test file is a process, and most share most of the sources.
  const cache = { NODE_COMPILE_CACHE: join(root, "node_modules/.cache/compile") };
  const result = spawnSync(command, args, {
    ...options,
    env: { ...process.env, ...cache, ...env },
  });
  if (result.error) console.error(`${command}: ${result.error.message}`);
  return result.status === 0;
}

/** A command that either passes or fails. */
function check(command, ...args) {
  return succeeds(command, args) ? [1, 0] : [0, 1];
}

let numRuns = 0;

function nodeTests(concurrency, ...patterns) {
  numRuns += 1;
  const counts = join(scratch, `counts-${numRuns}`);
  const ended = succeeds(node, [
    "--test",
    `--test-concurrency=${concurrency}`,
    ...["--test-reporter=spec", "--test-reporter-destination=stdout"],
    ...["--test-reporter=./scripts/count-reporter.mjs", `--test-reporter-destination=${counts}`],
    ...patterns,
  ]);
  const [passed, failed] = existsSync(counts)
    ? readFileSync(counts, "utf8").trim().split(" ").map(Number)
    : [0, 1];
  return settle(ended, passed, failed);
}

function pythonTests() {
  const xml = join(scratch, "pytest.xml");
  // Two processes, each with whole files: a file's tests share the rank processes they start.
  const spread = ["-n", "2", "--dist", "loadfile"];
  const ended = succeeds(python, [
    "-m",
    "pytest",
    "-q",
    "worker/engine",
    ...spread,
    `--junitxml=${xml}`,
  ]);
  const text = existsSync(xml) ? readFileSync(xml, "utf8") : "";
  const count = (name) =>
    Number(new RegExp(`<testsuite [^>]*\\b${name}="(\\d+)"`).exec(text)?.[1] ?? 0);
  const failed = count("failures") + count("errors");
  return settle(ended, count("tests") - failed - count("skipped"), failed + count("skipped"));
}

/** A runner that failed, or that ran nothing, is a failure whatever it counted. */
function settle(ended, passed, failed) {
  return [passed, failed === 0 && (!ended || passed === 0) ? 1 : failed];
}

const suites = {
  lint: () => [
    check(join(root, "node_modules/.bin/buf"), "lint"),
    check(node, "scripts/check-generated.ts"),
    check(join(root, "node_modules/.bin/biome"), "check", "--error-on-warnings", "."),
    check(join(root, "node_modules/.bin/tsc"), "--noEmit"),
    check(join(root, "node_modules/.bin/tsc"), "--noEmit", "-p", "coordinator/report/page"),
    check(join(root, "node_modules/.bin/tsc"), "--noEmit", "-p", "coordinator/planner/export/page"),
    check(python, "-m", "ruff", "check", "worker", "test"),
    check(python, "-m", "ruff", "format", "--check", "worker", "test"),
    check(node, "scripts/check-source.ts"),
  ],
  unit: () => [
    nodeTests(
      2,
      ...["coordinator/**/*.test.ts", "proto/*.test.ts", "worker/agent/*.test.ts"],
      ...["test/bench/**/*.test.ts", "test/kubernetes/**/*.test.ts"],
    ),
  ],
  engine: () => [pythonTests()],
  // Two by two: ranks wait for one another, and tests for what ranks do.
  e2e: () => [nodeTests(2, "test/e2e/*.test.ts")],
  faults: () => [nodeTests(2, "test/faults/*.test.ts", "test/fuzz/*.test.ts")],
};

const chosen = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(suites);
const unknown = chosen.find((name) => !(name in suites));
if (unknown) {
  console.error(
    `scripts/test.mjs: there is no suite ${unknown}; use ${Object.keys(suites).join(", ")}`,
  );
  process.exit(2);
}
const results = chosen.flatMap((name) => suites[name]());
rmSync(scratch, { recursive: true });
const total = (index) => results.reduce((sum, counts) => sum + counts[index], 0);
console.log(`\n${total(0)} passed, ${total(1)} failed`);
process.exit(total(1) === 0 ? 0 : 1);
