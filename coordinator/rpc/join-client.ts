import { type DetailedPeerCertificate, connect as tlsConnect } from "node:tls";
import { create } from "@bufbuild/protobuf";
import { JoinRequestSchema, JoinService } from "../../proto/gen/moestro/v1/join_pb.js";
import { grpcMethods } from "../../proto/grpc.ts";
import { MoestroError } from "../errors.ts";
import { splitAddress } from "./address.ts";
import { callUnary } from "./call-unary.ts";
import { fingerprintOf } from "./certificate-facts.ts";
import { createCertificateRequest } from "./certificate-request.ts";
import { COORDINATOR, type TlsMaterial } from "./client.ts";
import type { TokenText } from "./tokens.ts";

const CONNECT_TIMEOUT_MS = 5000;
const { join } = grpcMethods(JoinService);

export type Joining = {
  /** host:port of a coordinator's JoinService. */
  address: string;
  token: TokenText;
  /** The name the certificate is to have: "agent:<id>" or "user:<name>". */
  name: string;
};

/**
 * Changes a token for a certificate. The token names the authority, so nobody between here
 * and the coordinator can pass for it, nor learn the token. Throws MoestroError
 * ("environment") if nobody is there, ("invalid_input") if the token is not good.
 */
export async function joinCluster({ address, token, name }: Joining): Promise<TlsMaterial> {
  const authority = await fetchAuthority(address, token.fingerprint);
  return certified({ address, authority, name }, { token: `${token.id}.${token.secret}` });
}

export type PodJoining = Pick<Joining, "address" | "name"> & {
  /** What the coordinator is known by, PEM. */
  authority: string;
  serviceAccountToken: string;
};

/** Changes a pod's service-account token for a certificate. Throws as `joinCluster`. */
export function joinAsPod({ serviceAccountToken, ...where }: PodJoining): Promise<TlsMaterial> {
  return certified(where, { serviceAccountToken });
}

async function certified(
  { address, authority, name }: Omit<PodJoining, "serviceAccountToken">,
  proof: { token: string } | { serviceAccountToken: string },
): Promise<TlsMaterial> {
  const { request, key } = await createCertificateRequest(name);
  const { certificate } = await callUnary(
    { address, trust: { authority } },
    join,
    create(JoinRequestSchema, {
      ...proof,
      name: name.slice(name.indexOf(":") + 1),
      certificateRequest: request,
    }),
  );
  return { authority, certificate, key };
}

/** The certificate of the authority a server shows, PEM, if it has the fingerprint. */
async function fetchAuthority(address: string, fingerprint: string): Promise<string> {
  const shown = await shownCertificates(address);
  const authority = shown.find((der) => fingerprintOf(der) === fingerprint);
  if (authority) return pem(authority);
  throw new MoestroError(
    "invalid_input",
    `${address}: its authority is not the one the token names: the token is of another cluster, or somebody stands between; check the address, and make a new token there`,
  );
}

/** What a server shows in its handshake, not yet trusted; DER. */
function shownCertificates(address: string): Promise<Buffer[]> {
  const { host, port } = splitAddress(address);
  return new Promise((resolve, reject) => {
    const unreachable = (why: string) => {
      socket.destroy();
      reject(
        new MoestroError(
          "environment",
          `${address}: no coordinator answers there (${why}); check the address, the port for joining and the firewall`,
        ),
      );
    };
    const socket = tlsConnect({
      ...{ host, port, servername: COORDINATOR, ALPNProtocols: ["h2"] },
      // Nothing is sent over this connection: the fingerprint decides on the next one.
      rejectUnauthorized: false,
    });
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => unreachable("it took too long"));
    socket.once("error", (error) => unreachable(error.message));
    socket.once("secureConnect", () => {
      const shown = chain(socket.getPeerCertificate(true));
      socket.destroy();
      resolve(shown);
    });
  });
}

/** A certificate and those above it; a root is its own issuer. */
function chain(certificate: DetailedPeerCertificate): Buffer[] {
  const found: Buffer[] = [];
  let one: DetailedPeerCertificate | undefined = certificate;
  while (one?.raw && !found.some((seen) => seen.equals(one?.raw ?? seen))) {
    found.push(one.raw);
    one = one.issuerCertificate;
  }
  return found;
}

function pem(der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----`;
}
