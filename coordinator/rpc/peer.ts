import type { ServerUnaryCall } from "@grpc/grpc-js";
import { isRole, type Role } from "./roles.ts";

type AnyCall = Pick<ServerUnaryCall<unknown, unknown>, "getAuthContext">;

/** The holder of a certificate of this authority. */
export type Peer = {
  /** As on the certificate: "agent:node-0", "user:ann". */
  name: string;
  /** The name without its kind: an agent's id, a person's name. */
  id: string;
  role: Role;
};

/**
 * A caller's certificate; undefined without one, and for a call whose connection has gone
 * meanwhile, where grpc-js 1.14 throws.
 */
export function certificateOf(call: AnyCall) {
  try {
    return call.getAuthContext()?.sslPeerCertificate;
  } catch {
    return undefined;
  }
}

/** Who a caller is by its certificate; undefined without one of an agent or a person. */
export function peerOf(call: AnyCall): Peer | undefined {
  return peerOfSubject(certificateOf(call)?.subject);
}

/** The name on a caller's certificate; undefined without one. */
export function peerName(call: AnyCall): string | undefined {
  const name = certificateOf(call)?.subject?.CN;
  return typeof name === "string" ? name : undefined;
}

/** Reads a certificate's subject: CN is the name, OU the role. */
export function peerOfSubject(subject: { CN?: unknown; OU?: unknown } | undefined) {
  const { CN: name, OU: role } = subject ?? {};
  if (typeof name !== "string" || !isRole(role)) return undefined;
  const kind = role === "agent" ? "agent:" : "user:";
  return name.startsWith(kind) ? { name, role, id: name.slice(kind.length) } : undefined;
}
