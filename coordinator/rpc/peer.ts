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
  /** The one run that an agent is for; undefined if it is for any. */
  runId?: string;
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

/** Reads a certificate's subject: CN is the name, OU the role, O the run that an agent is for. */
export function peerOfSubject(
  subject: { CN?: unknown; OU?: unknown; O?: unknown } | undefined,
): Peer | undefined {
  const { CN: name, OU: role, O: runId } = subject ?? {};
  if (typeof name !== "string" || !isRole(role)) return undefined;
  const kind = role === "agent" ? "agent:" : "user:";
  if (!name.startsWith(kind)) return undefined;
  const peer = { name, role, id: name.slice(kind.length) };
  if (runId === undefined) return peer;
  // Whoever is for several runs, or a person for one, is nobody that was ever certified.
  return typeof runId === "string" && role === "agent" ? { ...peer, runId } : undefined;
}
