import { join } from "node:path";
import { MoestroError } from "../../coordinator/errors.ts";
import { joinAddress } from "../../coordinator/rpc/address.ts";
import { fingerprintOf } from "../../coordinator/rpc/certificate-facts.ts";
import type { TlsMaterial } from "../../coordinator/rpc/client.ts";
import {
  type Credentials,
  checked,
  readCredentials,
  writeCredentials,
} from "../../coordinator/rpc/credentials-file.ts";
import { firstOf } from "../../coordinator/rpc/first-of.ts";
import { joinAsPod, joinCluster } from "../../coordinator/rpc/join-client.ts";
import { certificateName } from "../../coordinator/rpc/roles.ts";
import { parseToken } from "../../coordinator/rpc/tokens.ts";
import type { TokenFiles } from "./options.ts";
import { readTokenFiles } from "./token-files.ts";

const REMEDY = "join with --token, which moestro token create --role agent makes";

export type ObtainOptions = {
  /** host:port of the coordinators, in the order they are tried. */
  coordinators: readonly string[];
  /** host:port of where each takes joiners, if that is not one port up. */
  joinAddresses?: readonly string[];
  token: string | undefined;
  /** In a pod, instead of a token. */
  tokenFiles?: TokenFiles | undefined;
  /** A folder for this agent alone; made if need be. */
  directory: string;
  agentId: string;
  nowMs?: number;
};

/** Where an agent's credentials lie in its folder. */
export function credentialsPath(directory: string): string {
  return join(directory, "credentials.pem");
}

/**
 * The agent's certificate: the one kept in its folder if that still holds, else a new one
 * for the token, which is then kept. A kept one of another authority than the token's is
 * replaced. Throws MoestroError, code "environment" where a later attempt may do better.
 */
export async function obtainCredentials(options: ObtainOptions): Promise<Credentials> {
  const { directory, agentId, nowMs = Date.now() } = options;
  const path = credentialsPath(directory);
  const ticket = ticketOf(options);
  const kept = usable(path, agentId, ticket !== undefined, nowMs);
  if (kept && !ticket) return kept;
  if (kept && fingerprintOf(kept.authority) === ticket?.fingerprint) return kept;
  if (!ticket) {
    throw new MoestroError("environment", `${directory}: holds no certificate; ${REMEDY}`);
  }
  return joinWith(ticket, options);
}

/** How an agent comes by another certificate while it runs, beside renewing the one it has. */
export type Rejoining = {
  /** The coordinators have another authority than this certificate is of. */
  isNeeded(current: Credentials): boolean;
  /** Throws as `obtainCredentials`. */
  join(): Promise<Credentials>;
};

/** By the token that the pod has then. */
export function rejoiningBy(files: TokenFiles, options: ObtainOptions): Rejoining {
  return {
    isNeeded: ({ authority }) => fingerprintOf(authority) !== readTokenFiles(files).fingerprint,
    join: () => joinWith(podTicket(files), options),
  };
}

/** What is shown at the door, and the authority behind it. */
type Ticket = {
  fingerprint: string;
  join(address: string, name: string): Promise<TlsMaterial>;
};

function ticketOf({ token: text, tokenFiles }: ObtainOptions): Ticket | undefined {
  if (tokenFiles) return podTicket(tokenFiles);
  if (text === undefined) return undefined;
  const token = parseToken(text);
  const { fingerprint } = token;
  return { fingerprint, join: (address, name) => joinCluster({ address, token, name }) };
}

function podTicket(files: TokenFiles): Ticket {
  const { fingerprint, ...proof } = readTokenFiles(files);
  return { fingerprint, join: (address, name) => joinAsPod({ address, name, ...proof }) };
}

async function joinWith(ticket: Ticket, options: ObtainOptions): Promise<Credentials> {
  const { coordinators, joinAddresses, agentId, directory } = options;
  const name = certificateName("agent", agentId);
  const addresses = joinAddresses ?? coordinators.map(joinAddress);
  const material = await firstOf(addresses, (address) => ticket.join(address, name));
  writeCredentials(credentialsPath(directory), material);
  return checked(material);
}

/** What is kept, if it is of use. Of one that cannot join, what is of no use is an error. */
function usable(
  path: string,
  agentId: string,
  canJoin: boolean,
  nowMs: number,
): Credentials | undefined {
  let kept: Credentials | undefined;
  try {
    kept = readCredentials(path);
  } catch (error) {
    if (canJoin) return undefined;
    throw error;
  }
  if (!kept) return undefined;
  const name = certificateName("agent", agentId);
  if (kept.peer?.name !== name) {
    throw new MoestroError(
      "invalid_input",
      `${path}: is the certificate of ${kept.peer?.name ?? "no agent"}, not of ${name}; give each agent a folder of its own`,
    );
  }
  if (kept.validToMs > nowMs) return kept;
  if (canJoin) return undefined;
  const until = new Date(kept.validToMs).toISOString();
  throw new MoestroError("environment", `${path}: the certificate expired on ${until}; ${REMEDY}`);
}
