import "reflect-metadata";
import { webcrypto } from "node:crypto";
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

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 24 * 60 * 60 * 1000;
/** Certificates start in the past so that clocks a little apart agree. */
const CLOCK_SKEW_MS = 5 * 60 * 1000;
const AUTHORITY_DAYS = 3650;
const LEAF_DAYS = 60;

/** A certificate and its private key, both PEM. */
export type Identity = { certificate: string; key: string };

/** Makes a self-signed certificate authority. */
export async function createAuthority(now: Date): Promise<Identity> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: "CN=moestro authority",
    keys,
    ...validity(now, AUTHORITY_DAYS),
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
};

/** Issues a certificate for one holder, good as server if it has hosts, and as client. */
export async function issue(
  authority: Identity,
  request: LeafRequest,
  now: Date,
): Promise<Identity> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const issuer = new X509Certificate(authority.certificate);
  const usages: ExtendedKeyUsage[] = [ExtendedKeyUsage.clientAuth];
  if (request.hosts.length > 0) usages.push(ExtendedKeyUsage.serverAuth);
  const names = request.hosts.map((host) => ({
    type: /^[0-9.]+$|:/.test(host) ? ("ip" as const) : ("dns" as const),
    value: host,
  }));
  const certificate = await X509CertificateGenerator.create({
    subject: `CN=${request.name}`,
    issuer: issuer.subject,
    publicKey: keys.publicKey,
    signingKey: await importKey(authority.key),
    ...validity(now, LEAF_DAYS),
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension(usages),
      ...(names.length > 0 ? [new SubjectAlternativeNameExtension(names)] : []),
    ],
  });
  return { certificate: certificate.toString("pem"), key: await exportKey(keys.privateKey) };
}

/** Whether the authority's certificate still holds at `now`. Throws if it is not one. */
export function isValidAt(identity: Identity, now: Date): boolean {
  const certificate = new X509Certificate(identity.certificate);
  return certificate.notBefore <= now && now < certificate.notAfter;
}

function validity(now: Date, days: number): { notBefore: Date; notAfter: Date } {
  return {
    notBefore: new Date(now.getTime() - CLOCK_SKEW_MS),
    notAfter: new Date(now.getTime() + days * DAY_MS),
  };
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const bytes = await webcrypto.subtle.exportKey("pkcs8", key);
  return PemConverter.encode(bytes, PemConverter.PrivateKeyTag);
}

async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey("pkcs8", PemConverter.decodeFirst(pem), ALGORITHM, false, [
    "sign",
  ]);
}
