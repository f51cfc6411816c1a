import type { PeerCertificate } from "node:tls";
import { type ChannelOptions, Client, credentials } from "@grpc/grpc-js";

/** The name on every coordinator's certificate, whatever the address it is reached at. */
export const COORDINATOR = "coordinator";

/** What a client knows its coordinators by, and proves itself with; PEM. */
export type TlsMaterial = { authority: string; certificate: string; key: string };

/** As far as a client has it that has yet to join. */
export type Trust = Pick<TlsMaterial, "authority"> & Partial<TlsMaterial>;

/** A client of any coordinator of the authority; it connects with its first call. */
export function openClient(address: string, trust: Trust, options: ChannelOptions = {}): Client {
  const { authority, certificate, key } = trust;
  const tls = credentials.createSsl(
    Buffer.from(authority),
    key ? Buffer.from(key) : null,
    certificate ? Buffer.from(certificate) : null,
    { checkServerIdentity },
  );
  return new Client(address, tls, {
    "grpc.ssl_target_name_override": COORDINATOR,
    "grpc.enable_channelz": 0,
    ...options,
  });
}

/**
 * The authority names coordinators, not their addresses, which change behind proxies and
 * in pods: a host is right if it has a coordinator's certificate. Certificates of agents
 * and people are good for clients alone, which the TLS library checks.
 */
function checkServerIdentity(_name: string, { subject }: PeerCertificate): Error | undefined {
  if (subject.CN === COORDINATOR) return undefined;
  return new Error(`the certificate there is of ${subject.CN}, not of a coordinator`);
}
