import { status } from "@grpc/grpc-js";
import type { Peer } from "./peer.ts";
import type { Rule } from "./rules.ts";

/** Why a call is not carried out. */
export type Refusal = { code: status; details: string };

/** Whether the caller's role is enough; undefined if so. `validToMs` is of its certificate. */
export function refusalByRole(
  rule: Rule | undefined,
  caller: { peer: Peer | undefined; validToMs: number },
  nowMs: number,
): Refusal | undefined {
  const { peer, validToMs } = caller;
  if (!rule) return denied("nobody may call this");
  if (!rule.roles) return undefined;
  if (!peer) return denied("a certificate of an agent or a person is needed");
  // The handshake looked at it too, but connections outlive certificates.
  if (validToMs <= nowMs) {
    return { code: status.UNAUTHENTICATED, details: `the certificate of ${peer.name} has expired` };
  }
  if (rule.roles.includes(peer.role)) return undefined;
  return denied(`${peer.name} has the role ${peer.role}; this takes ${rule.roles.join(" or ")}`);
}

/** Whether a submitter owns the run it wants to change; undefined if so, or if there is none. */
export async function refusalByOwner(
  runId: string,
  peer: Peer,
  ownerOf: (runId: string) => Promise<string | undefined>,
): Promise<Refusal | undefined> {
  try {
    const owner = await ownerOf(runId);
    if (owner === undefined || owner === peer.id) return undefined;
    return denied(
      `run ${runId} belongs to ${owner || "nobody"}; ${peer.name} may change runs of its own, an admin any`,
    );
  } catch (error) {
    return { code: status.UNAVAILABLE, details: (error as Error).message };
  }
}

function denied(details: string): Refusal {
  return { code: status.PERMISSION_DENIED, details };
}
