import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import { type Peer, peerOfSubject } from "./peer.ts";

/** What a certificate says. Times are of the wall clock. */
export type CertificateFacts = { peer: Peer | undefined; validFromMs: number; validToMs: number };

/** Throws if `pem` is no certificate. */
export function readCertificate(pem: string): CertificateFacts {
  const certificate = new X509Certificate(pem);
  return {
    peer: peerOfSubject(certificate.toLegacyObject().subject),
    validFromMs: Date.parse(certificate.validFrom),
    validToMs: Date.parse(certificate.validTo),
  };
}

/** SHA-256 of a certificate, base64url: names an authority in a token. */
export function fingerprintOf(certificate: string | Uint8Array): string {
  const der = typeof certificate === "string" ? new X509Certificate(certificate).raw : certificate;
  return createHash("sha256").update(der).digest("base64url");
}

/** Whether the key is the certificate's, and the certificate of the authority, all of them PEM. */
export function belongTogether(authority: string, certificate: string, key: string): boolean {
  const leaf = new X509Certificate(certificate);
  const issuer = new X509Certificate(authority);
  return leaf.checkPrivateKey(createPrivateKey(key)) && leaf.verify(issuer.publicKey);
}
