import { linkSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MoestroError } from "../errors.ts";
import { ensureDirectory } from "../state-directory.ts";
import { createAuthority, type Identity, isValidAt } from "./certificates.ts";

/** Key and certificate, in the state directory. */
export const AUTHORITY_FILE = "authority.pem";
const KEY_TAG = "-----BEGIN PRIVATE KEY-----";

/**
 * The person's own certificate authority, made on first use. Key and
 * certificate share one file, mode 0600, so that they cannot come apart.
 */
export async function loadAuthority(directory: string, now: Date): Promise<Identity> {
  const path = join(ensureDirectory(directory), AUTHORITY_FILE);
  const found = read(path);
  if (found) return checked(found, path, now);
  const made = await createAuthority(now);
  publish(directory, path, `${made.certificate}\n${made.key}\n`);
  // Another process may have been first: what lies in the file counts.
  const stored = read(path);
  if (!stored) throw new MoestroError("environment", `${path}: vanished while it was being made`);
  return checked(stored, path, now);
}

/** Writes a file readable by its owner alone, whole or not at all. */
export function writePrivate(path: string, text: string): void {
  const partial = `${path}.partial-${process.pid}`;
  writeFileSync(partial, text, { mode: 0o600, flush: true });
  renameSync(partial, path);
}

function read(path: string): Identity | undefined {
  try {
    const text = readFileSync(path, "utf8");
    const start = text.indexOf(KEY_TAG);
    return { certificate: text.slice(0, start).trim(), key: text.slice(start).trim() };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new MoestroError("environment", `${path}: cannot be read: ${(error as Error).message}`);
  }
}

function checked(authority: Identity, path: string, now: Date): Identity {
  try {
    if (isValidAt(authority, now)) return authority;
  } catch {
    throw new MoestroError(
      "environment",
      `${path}: is not a certificate authority; remove the file and a new one is made`,
    );
  }
  throw new MoestroError(
    "environment",
    `${path}: the certificate authority has expired or is not valid yet; check the clock, or remove the file and a new one is made`,
  );
}

/** Gives `path` its content unless it exists; a link is made for the first comer only. */
function publish(directory: string, path: string, text: string): void {
  const scratch = mkdtempSync(join(directory, ".making-"));
  const made = join(scratch, AUTHORITY_FILE);
  try {
    writeFileSync(made, text, { mode: 0o600, flush: true });
    linkSync(made, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(scratch, { recursive: true });
  }
}
