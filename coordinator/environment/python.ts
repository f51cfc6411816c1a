import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { MoestroError } from "../errors.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MIN_PYTHON = [3, 11];
/** What the engine imports, with the oldest version it works with. */
const PACKAGES = { torch: [2, 11], numpy: [2, 0], protobuf: [5, 29], safetensors: [0, 5] };
const PROBE_TIMEOUT_MS = 30_000;

// importlib.metadata reads versions without the seconds that importing torch takes.
const PROBE = `
import sys, importlib.metadata as metadata
print("python", sys.version.split()[0])
for name in sys.argv[1:]:
    try:
        print(name, metadata.version(name))
    except metadata.PackageNotFoundError:
        print(name, "missing")
`;

export type Python = {
  executable: string;
  /** "python" and every package the engine needs, with its version or "missing". */
  versions: Record<string, string>;
};

/** The interpreter ranks run on: MOESTRO_PYTHON, else the one `npm run setup` made. */
export function pythonExecutable(): string {
  const chosen = process.env.MOESTRO_PYTHON;
  if (!chosen) return join(ROOT, ".venv", "bin", "python");
  return chosen.includes("/") ? resolve(chosen) : (onPath(chosen) ?? chosen);
}

/** Asks the interpreter what it has. Throws if there is none or it does not answer. */
export async function probePython(): Promise<Python> {
  const executable = pythonExecutable();
  const remedy = process.env.MOESTRO_PYTHON
    ? "set MOESTRO_PYTHON to a Python that has torch, or unset it and run: npm run setup"
    : "run: npm run setup (or set MOESTRO_PYTHON to a Python that has torch)";
  if (!existsSync(executable)) {
    throw new MoestroError("environment", `${executable}: there is no Python here; ${remedy}`);
  }
  try {
    const args = ["-c", PROBE, ...Object.keys(PACKAGES)];
    const { stdout } = await promisify(execFile)(executable, args, { timeout: PROBE_TIMEOUT_MS });
    const lines = stdout.trim().split("\n");
    const versions = Object.fromEntries(lines.map((line) => line.split(" ") as [string, string]));
    return { executable, versions };
  } catch (error) {
    const [why] = (error as Error).message.trim().split("\n").slice(-1);
    throw new MoestroError("environment", `${executable}: does not run: ${why}; ${remedy}`);
  }
}

/** What the engine lacks in this Python, one line each with the remedy; empty if nothing. */
export function pythonProblems({ executable, versions }: Python): string[] {
  const remedy = process.env.MOESTRO_PYTHON
    ? `${executable} -m pip install -r worker/engine/requirements.txt, or another MOESTRO_PYTHON`
    : "npm run setup";
  const required = { python: MIN_PYTHON, ...PACKAGES };
  return Object.entries(required).flatMap(([name, minimum]) => {
    const found = versions[name] ?? "missing";
    if (isAtLeast(found, minimum)) return [];
    const what = found === "missing" ? `${name} is not installed` : `${name} is ${found}`;
    return [`${executable}: ${what}; the engine needs ${minimum.join(".")} or later; ${remedy}`];
  });
}

/** The interpreter, checked. Throws MoestroError("environment") with all that is lacking. */
export async function requirePython(): Promise<Python> {
  const python = await probePython();
  const problems = pythonProblems(python);
  if (problems.length > 0) throw new MoestroError("environment", problems);
  return python;
}

function isAtLeast(version: string, minimum: readonly number[]): boolean {
  const parts = version.split(/[.+]/).map((part) => Number.parseInt(part, 10));
  for (const [index, least] of minimum.entries()) {
    const part = parts[index];
    if (part === undefined || Number.isNaN(part)) return false;
    if (part !== least) return part > least;
  }
  return true;
}

function onPath(name: string): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter);
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}
