// Sets up everything the project needs: npm packages (with Node 24 among them)
// and a Python virtual environment with torch. Safe to repeat; when nothing has
// changed it does nothing. Plain JavaScript: it runs before npm ci has.
//
//   node scripts/setup.mjs         what training needs
//   node scripts/setup.mjs --dev   and what the tests need
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const dev = process.argv.includes("--dev");
const MIN_PYTHON = [3, 11];

class SetupError extends Error {}

/** Hash of the files a step depends on, so that a changed file repeats the step. */
function stampOf(files, ...extra) {
  const hash = createHash("sha256");
  for (const file of files) hash.update(readFileSync(`${root}${file}`));
  return hash.update(JSON.stringify(extra)).digest("hex");
}

function isDone(stampFile, stamp) {
  return existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp;
}

/** Runs a command with its output on the terminal's stderr. */
function run(what, command, args) {
  console.error(`setup: ${what}`);
  const result = spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2] });
  if (result.error || result.status !== 0) {
    const why = result.error?.message ?? `exit code ${result.status ?? result.signal}`;
    throw new SetupError(`${what} failed (${why}): ${command} ${args.join(" ")}`);
  }
}

function setUpNode() {
  const stampFile = `${root}node_modules/.moestro-setup`;
  const stamp = stampOf(["package-lock.json"], process.platform, process.arch);
  if (isDone(stampFile, stamp)) return;
  run("installing npm packages and Node 24 (npm ci)", "npm", ["ci", "--loglevel=error"]);
  // npm links the commands of dependencies only; this makes `npx moestro` work.
  const link = `${root}node_modules/.bin/moestro`;
  rmSync(link, { force: true });
  symlinkSync("../../bin/moestro.mjs", link);
  writeFileSync(stampFile, stamp);
}

function pythonVersion(command) {
  try {
    const code = "import sys; print(*sys.version_info[:2])";
    const text = execFileSync(command, ["-c", code], { stdio: ["ignore", "pipe", "ignore"] });
    return text.toString().trim().split(" ").map(Number);
  } catch {
    return undefined;
  }
}

function isSupported([major, minor]) {
  return major === MIN_PYTHON[0] && minor >= MIN_PYTHON[1];
}

function findPython() {
  const seen = [];
  for (const name of [
    "python3",
    "python3.13",
    "python3.12",
    "python3.11",
    "python3.14",
    "python",
  ]) {
    const version = pythonVersion(name);
    if (version && isSupported(version)) return name;
    if (version) seen.push(`${name} is ${version.join(".")}`);
  }
  const found = seen.length > 0 ? seen.join(", ") : "none was found";
  throw new SetupError(
    `Python ${MIN_PYTHON.join(".")} or later is needed and ${found}; install it (Debian: apt install python3 python3-venv) or set MOESTRO_PYTHON to one that has torch`,
  );
}

function setUpPython() {
  // The interpreter is the person's own: it is theirs to install into.
  if (process.env.MOESTRO_PYTHON) return;
  const requirements = ["worker/engine/requirements.txt", "worker/engine/requirements-dev.txt"];
  const stampFile = `${root}.venv/.moestro-setup${dev ? "-dev" : ""}`;
  const stamp = stampOf(requirements, process.platform, process.arch);
  if (isDone(stampFile, stamp)) return;
  const works = (...args) => spawnSync(".venv/bin/python", args, { cwd: root }).status === 0;
  // An environment that was left half-made has a python and no pip.
  if (!works("-m", "pip", "--version")) {
    rmSync(`${root}.venv`, { recursive: true, force: true });
    const python = findPython();
    if (spawnSync(python, ["-c", "import ensurepip, venv"]).status !== 0) {
      throw new SetupError(`${python} lacks venv; install it (Debian: apt install python3-venv)`);
    }
    run(`making a Python environment in .venv (${python} -m venv)`, python, [
      "-m",
      "venv",
      ".venv",
    ]);
  }
  const file = dev ? requirements[1] : requirements[0];
  run(`installing Python packages, torch among them (${file})`, ".venv/bin/python", [
    ...["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", file],
  ]);
  writeFileSync(stampFile, stamp);
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** Holds a lock file while `body` runs, so that two set-ups take turns. */
async function locked(body) {
  const lock = `${root}.setup.lock`;
  for (let waited = false; ; ) {
    try {
      const file = openSync(lock, "wx");
      writeFileSync(file, String(process.pid));
      closeSync(file);
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw new SetupError(`cannot write ${lock}: ${error.message}`);
    }
    const holder = existsSync(lock) ? Number(readFileSync(lock, "utf8")) : 0;
    // An empty lock belongs to a set-up that is just writing its number, or was killed then.
    const isAbandoned = holder === 0 && Date.now() - statSync(lock).mtimeMs > 2000;
    if (isAbandoned || (holder > 0 && !isAlive(holder))) {
      rmSync(lock, { force: true });
      continue;
    }
    if (!waited) console.error(`setup: waiting for another set-up (process ${holder})`);
    waited = true;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  try {
    body();
  } finally {
    rmSync(lock, { force: true });
  }
}

try {
  const [major = 0] = process.versions.node.split(".").map(Number);
  if (major < 20) throw new SetupError(`Node 20 or later is needed, this is ${process.version}`);
  await locked(() => {
    setUpNode();
    setUpPython();
  });
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`setup: ${error.message}`);
  process.exitCode = 4;
}
