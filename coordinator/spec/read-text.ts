import { open } from "node:fs/promises";
import { MoestroError } from "../errors.ts";

/** Nothing a person writes by hand is longer. */
const MAX_TEXT_BYTES = 1_000_000;

const REASONS: Record<string, string> = {
  ENOENT: "there is no such file; check the path",
  ENOTDIR: "a part of the path is a file, not a folder; check the path",
  EISDIR: "is a folder; give the path of a file",
  EACCES: "may not be read by this user; change its permissions",
  EPERM: "may not be read by this user; change its permissions",
  ENAMETOOLONG: "the path is too long; check it",
  ELOOP: "its symbolic links form a loop; check the path",
};

/**
 * The text of a small UTF-8 file. Reads at most `MAX_TEXT_BYTES`, so that a
 * pipe or a device works and an endless one ends.
 *
 * @throws MoestroError `invalid_input`, one line that begins with `shownName`
 */
export async function readTextFile(path: string, shownName: string): Promise<string> {
  const bytes = await readBounded(path).catch((error: NodeJS.ErrnoException) => {
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

async function readBounded(path: string): Promise<Uint8Array> {
  if (path.includes("\0")) throw Object.assign(new Error(), { code: "ENOENT" });
  await using file = await open(path, "r");
  const buffer = new Uint8Array(MAX_TEXT_BYTES + 1);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}
