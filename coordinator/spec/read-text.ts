import { open, realpath } from "node:fs/promises";
import { isAbsolute, relative } from "node:path";
import { MoestroError } from "../errors.ts";
import { NOT_REGULAR, requireRegular, WITHOUT_WAITING } from "../regular-file.ts";

/** Nothing a person writes by hand is longer. */
const MAX_TEXT_BYTES = 1_000_000;

const REASONS: Record<string, string> = {
  ENOENT: "there is no such file; check the path",
  ENOTDIR: "a part of the path is a file, not a folder; check the path",
  EISDIR: "is a folder; give the path of a file",
  EACCES: "may not be read by this user; change its permissions",
  EPERM: "may not be read by this user; change its permissions",
  ENAMETOOLONG: "the path is too long; check it",
  [NOT_REGULAR]: "is a pipe or a device; give the path of a file",
  ELOOP: "its symbolic links form a loop; check the path",
};

/**
 * The text of a small UTF-8 file. Reads at most `MAX_TEXT_BYTES`, so that a
 * pipe or a device works and an endless one ends.
 *
 * @throws MoestroError `invalid_input`, one line that begins with `shownName`
 */
export function readTextFile(path: string, shownName: string): Promise<string> {
  return readText(path, shownName, false);
}

/** `readTextFile` for a file that another one names: no pipe, and nothing is waited for. */
export function readNamedFile(path: string, shownName: string): Promise<string> {
  return readText(path, shownName, true);
}

/**
 * Fails unless a path, and what it leads to, is below a folder.
 *
 * @throws MoestroError `invalid_input`, one line that begins with `shownName`
 */
export async function requireBelow(folder: string, path: string, shownName: string): Promise<void> {
  const outside = new MoestroError(
    "invalid_input",
    `${shownName}: is outside of ${folder}, where files of jobs are; put it there`,
  );
  if (!isBelow(folder, path)) throw outside;
  // What is not there is told by whoever reads it.
  const [realFolder, real] = await Promise.all([folder, path].map((one) => realpath(one))).catch(
    () => [folder, path],
  );
  if (!isBelow(realFolder ?? folder, real ?? path)) throw outside;
}

function isBelow(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== ".." && !way.startsWith("../") && !isAbsolute(way);
}

async function readText(path: string, shownName: string, isNamed: boolean): Promise<string> {
  const bytes = await readBounded(path, isNamed).catch((error: NodeJS.ErrnoException) => {
    const reason = REASONS[error.code ?? ""] ?? `cannot be read: ${error.message}`;
    throw new MoestroError("invalid_input", `${shownName}: ${reason}`);
  });
  if (bytes.length > MAX_TEXT_BYTES) {
    throw new MoestroError(
      "invalid_input",
      `${shownName}: is longer than ${MAX_TEXT_BYTES} bytes; this is hardly the right file`,
    );
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new MoestroError("invalid_input", `${shownName}: is not UTF-8 text; save it as UTF-8`);
  }
}

async function readBounded(path: string, isNamed: boolean): Promise<Uint8Array> {
  if (path.includes("\0")) throw Object.assign(new Error(), { code: "ENOENT" });
  await using file = await open(path, isNamed ? WITHOUT_WAITING : "r");
  if (isNamed) requireRegular(await file.stat());
  const buffer = new Uint8Array(MAX_TEXT_BYTES + 1);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}
