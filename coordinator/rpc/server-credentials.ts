import { experimental, type ServerCredentials } from "@grpc/grpc-js";
import type { Identity } from "./certificates.ts";

/**
 * What a server proves itself with, which can change while it runs: handshakes from then on
 * use the new certificate, connections that stand go on.
 */
export class ServerIdentity implements experimental.CertificateProvider {
  readonly #authority: string;
  readonly #listeners = new Set<experimental.IdentityCertificateUpdateListener>();
  #identity: Identity;

  constructor(authority: Identity, identity: Identity) {
    this.#authority = authority.certificate;
    this.#identity = identity;
  }

  set(identity: Identity): void {
    this.#identity = identity;
    for (const listener of this.#listeners) listener(this.#update());
  }

  /** Of clients with a certificate of the same authority, or of any. */
  credentials(clients: "with certificate" | "anyone"): ServerCredentials {
    const asks = clients === "with certificate";
    return experimental.createCertificateProviderServerCredentials(
      // First the identity, then the authority, although grpc-js 1.14 names them the other way.
      this,
      asks ? this : null,
      asks,
    );
  }

  addCaCertificateListener(listener: experimental.CaCertificateUpdateListener): void {
    process.nextTick(() => listener({ caCertificate: Buffer.from(this.#authority) }));
  }

  removeCaCertificateListener(): void {}

  addIdentityCertificateListener(listener: experimental.IdentityCertificateUpdateListener): void {
    this.#listeners.add(listener);
    process.nextTick(() => listener(this.#update()));
  }

  removeIdentityCertificateListener(
    listener: experimental.IdentityCertificateUpdateListener,
  ): void {
    this.#listeners.delete(listener);
  }

  /** The authority's certificate goes along: by it a client that has only a token knows it. */
  #update(): experimental.IdentityCertificateUpdate {
    const { certificate, key } = this.#identity;
    const chain = `${certificate.trim()}\n${this.#authority.trim()}\n`;
    return { certificate: Buffer.from(chain), privateKey: Buffer.from(key) };
  }
}
