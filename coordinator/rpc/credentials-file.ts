import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { MoestroError } from "../errors.ts";
import { ensureDirectory } from "../state-directory.ts";
import { writePrivate } from "./authority.ts";
import { belongTogether, type CertificateFacts, readCertificate } from "./certificate-facts.ts";
import type { TlsMaterial } from "./client.ts";

/** A certificate with all that is needed to use it, and what it says. */
export type Credentials = TlsMaterial & CertificateFacts;

const BLOCK = /-----BEGIN ([A-Z ]+)-----[^-]*-----END \1-----/g;

/**
 * Reads what `writeCredentials` wrote; undefined if there is no such file. Throws
 * MoestroError("environment") if what is there is of no use.
 */
export function readCredentials(path: string): Credentials | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new MoestroError("environment", `${path}: cannot be read: ${(error as Error).message}`);
  }
  const [certificate = "", authority = "", key = ""] = text.match(BLOCK) ?? [];
  try {
    return checked({ authority, certificate, key });
  } catch {
    throw new MoestroError(
      "environment",
      `${path}: is damaged: it lacks a certificate, its key or its authority; remove it and join again with a new token`,
    );
  }
}

/** Certificate, authority and key in one file of its owner, so that they cannot come apart. */
export function writeCredentials(path: string, { certificate, authority, key }: TlsMaterial): void {
  ensureDirectory(dirname(path));
  writePrivate(path, `${[certificate, authority, key].map((part) => part.trim()).join("\n")}\n`);
}

/** Adds what the certificate says. Throws an Error if the parts are not of one piece. */
export function checked(material: TlsMaterial): Credentials {
  const { authority, certificate, key } = material;
  if (!belongTogether(authority, certificate, key)) throw new Error("the parts do not match");
  return { ...material, ...readCertificate(certificate) };
}
