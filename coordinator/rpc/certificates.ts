import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { isIP } from "node:net";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import type { Role } from "./roles.ts";

/** Of every key. */
export const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 24 * 60 * 60 * 1000;
/** Certificates start in the past so that a clock an hour off does not refuse new ones. */
const CLOCK_SKEW_MS = 2 * 60 * 60 * 1000;
const AUTHORITY_LIFETIME_MS = 3650 * DAY_MS;
const LEAF_LIFETIME_MS = 60 * DAY_MS;

/** A certificate and its private key, both PEM. */
export type Identity = { certificate: string; key: string };

/** Makes a self-signed certificate authority. */
export async function createAuthority(now: Date): Promise<Identity> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: "CN=moestro authority",
    keys,
    ...validity(now, AUTHORITY_LIFETIME_MS),
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  return { certificate: certificate.toString("pem"), key: await exportKey(keys.privateKey) };
}

export type LeafRequest = {
  /** Who the holder is: "coordinator", "agent:<id>" or "user:<name>". */
  name: string;
  /** Host names and addresses a server answers at; a client has none. */
  hosts: readonly string[];
  /** Of a person; who has the authority's key at hand and says nothing is an admin. */
  role?: Role;
  /** The one run that an agent is for. */
  runId?: string;
  lifetimeMs?: number;
};

/** Makes a key and issues a certificate for it, as `certify` does. */
export async function issue(
  authority: Identity,
  { name, hosts, runId, role = roleByName(name), lifetimeMs = LEAF_LIFETIME_MS }: LeafRequest,
  now: Date,
): Promise<Identity> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const holder = { name, role, runId, hosts, lifetimeMs, publicKey: keys.publicKey };
  return {
    certificate: await certify(authority, holder, now),
    key: await exportKey(keys.privateKey),
  };
}

function roleByName(name: string): Role | undefined {
  if (name.startsWith("agent:")) return "agent";
  return name.startsWith("user:") ? "admin" : undefined;
}

export type Holder = {
  name: string;
  /** Undefined for a coordinator, which has none. */
  role: Role | undefined;
  /** The one run that an agent is for; undefined for any. */
  runId?: string | undefined;
  hosts: readonly string[];
  lifetimeMs: number;
  publicKey: webcrypto.CryptoKey;
};

/**
 * Issues a certificate for one holder: the subject's CN is its name, its OU the role, its O
 * the one run that an agent is for.
 * Good as client, and as server if it has hosts.
 */
export async function certify(authority: Identity, holder: Holder, now: Date): Promise<string> {
  const issuer = new X509Certificate(authority.certificate);
  const usages: ExtendedKeyUsage[] = [ExtendedKeyUsage.clientAuth];
  if (holder.hosts.length > 0) usages.push(ExtendedKeyUsage.serverAuth);
  const names = holder.hosts.map((host) => ({
    type: isIP(host) ? ("ip" as const) : ("dns" as const),
    value: host,
  }));
  const certificate = await X509CertificateGenerator.create({
    // As a structure: nothing in a name can be read as another part of the subject.
    subject: [
      { CN: [holder.name] },
      ...(holder.role ? [{ OU: [holder.role] }] : []),
      ...(holder.runId === undefined ? [] : [{ O: [holder.runId] }]),
    ],
    issuer: issuer.subject,
    publicKey: holder.publicKey,
    signingKey: await importKey(authority.key),
    ...validity(now, holder.lifetimeMs),
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension(usages),
      ...(names.length > 0 ? [new SubjectAlternativeNameExtension(names)] : []),
    ],
  });
  return certificate.toString("pem");
}

/** Whether the authority's certificate still holds at `now`. Throws if it is not one. */
export function isValidAt(identity: Identity, now: Date): boolean {
  const certificate = new X509Certificate(identity.certificate);
  return certificate.notBefore <= now && now < certificate.notAfter;
}

function validity(now: Date, lifetimeMs: number): { notBefore: Date; notAfter: Date } {
  return {
    notBefore: new Date(now.getTime() - CLOCK_SKEW_MS),
    notAfter: new Date(now.getTime() + lifetimeMs),
  };
}

/** A private key as PEM. */
export async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const bytes = await webcrypto.subtle.exportKey("pkcs8", key);
  return PemConverter.encode(bytes, PemConverter.PrivateKeyTag);
}

async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey("pkcs8", PemConverter.decodeFirst(pem), ALGORITHM, false, [
    "sign",
  ]);
}
