import { mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { MoestroError } from "./errors.ts";

/**
 * Where moestro keeps what belongs to the person, not to one run: the
 * certificate authority. `MOESTRO_HOME`, else the XDG state directory.
 */
export function stateDirectory(): string {
  const home = process.env.MOESTRO_HOME;
  const xdg = process.env.XDG_STATE_HOME || join(homedir(), ".local", "state");
  return ensureDirectory(home || join(xdg, "moestro"));
}

/** Where things lie that can be made again: tokenised data. */
export function cacheDirectory(): string {
  const home = process.env.MOESTRO_HOME;
  const xdg = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return ensureDirectory(home ? join(home, "cache") : join(xdg, "moestro"));
}

/** Makes a private directory with its parents; a failure is told in one line. */
export function ensureDirectory(path: string): string {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return path;
  } catch (error) {
    throw new MoestroError(
      "environment",
      `${path}: cannot make this directory: ${(error as Error).message}; free space, change permissions or choose another place`,
    );
  }
}
