import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pythonExecutable } from "../../../coordinator/environment/python.ts";

const HOME = join(import.meta.dirname, "../../../node_modules/.cache/ray");
const VERSION = "import ray, torch; print(ray.__version__)";

export type RayPython = { executable: string; version: string };

/**
 * A Python that has Ray, and torch and all else from the engine's own: made on first use in
 * `node_modules/.cache/ray`. A string says why there is none.
 */
export function rayPython(): RayPython | string {
  const executable = join(HOME, "bin/python");
  const version = versionOf(executable);
  if (version !== undefined) return { executable, version };
  try {
    make(executable);
    return { executable, version: run(executable, ["-c", VERSION]) };
  } catch (error) {
    const { stderr = "", message } = error as Error & { stderr?: string };
    return stderr.trim().split("\n").at(-1) || message;
  }
}

function make(executable: string): void {
  console.log(`installs the newest ray[train] into ${HOME}; this happens once`);
  mkdirSync(HOME, { recursive: true });
  run(pythonExecutable(), ["-m", "venv", "--clear", HOME]);
  const paths = "import sysconfig; print(sysconfig.get_path('purelib'))";
  // pip, and the workers, find what the engine's Python has already: the same torch for all.
  writeFileSync(
    join(run(executable, ["-c", paths]), "engine.pth"),
    `${run(pythonExecutable(), ["-c", paths])}\n`,
  );
  run(executable, ["-m", "pip", "install", "--quiet", "--no-input", "ray[train]"]);
}

function versionOf(executable: string): string | undefined {
  try {
    return run(executable, ["-c", VERSION]);
  } catch {
    return undefined;
  }
}

function run(program: string, args: readonly string[]): string {
  return execFileSync(program, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  }).trim();
}
