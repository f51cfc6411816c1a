import { readFileSync } from "node:fs";
import { MoestroError } from "../../coordinator/errors.ts";
import { fingerprintOf } from "../../coordinator/rpc/certificate-facts.ts";
import type { TokenFiles } from "./options.ts";

/** What an agent in a pod joins with. */
export type PodToken = {
  serviceAccountToken: string;
  /** PEM. */
  authority: string;
  /** Of the authority. */
  fingerprint: string;
};

/** Reads the files as they are now. Throws MoestroError("environment"): they may come yet. */
export function readTokenFiles({ token, authority }: TokenFiles): PodToken {
  const certificate = read("--authority", authority);
  const fingerprint = fingerprintIn(authority, certificate);
  const serviceAccountToken = read("--token-file", token);
  return { serviceAccountToken, authority: certificate, fingerprint };
}

/** What each is to be. */
const REMEDIES = {
  "--authority": "mount the ConfigMap that the operator keeps in the job's namespace",
  "--token-file": "mount a projected service-account token",
};

type Flag = keyof typeof REMEDIES;

function read(flag: Flag, path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8").trim();
  } catch (error) {
    throw unusable(flag, path, `cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  if (text === "") throw unusable(flag, path, "is empty");
  return text;
}

function fingerprintIn(path: string, certificate: string): string {
  try {
    return fingerprintOf(certificate);
  } catch {
    throw unusable("--authority", path, "is no certificate");
  }
}

function unusable(flag: Flag, path: string, why: string): MoestroError {
  return new MoestroError("environment", `${flag} ${path}: ${why}; ${REMEDIES[flag]}`);
}
