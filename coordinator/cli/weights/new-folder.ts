import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { MoestroError } from "../../errors.ts";

/**
 * Makes a folder that is there complete or not at all: `fill` gets another one beside
 * it, which takes its name in the end.
 *
 * @throws MoestroError `in_use` if something lies there already
 */
export async function makeFolder<Result>(
  out: string,
  fill: (folder: string) => Promise<Result>,
): Promise<Result> {
  const path = out.replace(/\/+$/, "") || out;
  if (existsSync(path) && !(statSync(path).isDirectory() && readdirSync(path).length === 0)) {
    throw new MoestroError("in_use", `${out}: exists already; give --out a new folder`);
  }
  const partial = `${path}.partial`;
  try {
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(dirname(path), { recursive: true });
    mkdirSync(partial);
    const result = await fill(partial);
    renameSync(partial, path);
    return result;
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}
