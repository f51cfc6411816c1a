import { join } from "node:path";
import { MoestroError } from "../../coordinator/errors.ts";
import { joinAddress } from "../../coordinator/rpc/address.ts";
import { fingerprintOf } from "../../coordinator/rpc/certificate-facts.ts";
import {
  type Credentials,
  checked,
  readCredentials,
  writeCredentials,
} from "../../coordinator/rpc/credentials-file.ts";
import { firstOf } from "../../coordinator/rpc/first-of.ts";
import { joinCluster } from "../../coordinator/rpc/join-client.ts";
import { certificateName } from "../../coordinator/rpc/roles.ts";
import { parseToken, type TokenText } from "../../coordinator/rpc/tokens.ts";

const REMEDY = "join with --token, which moestro token create --role agent makes";

export type ObtainOptions = {
  /** host:port of the coordinators, in the order they are tried. */
  coordinators: readonly string[];
  /** host:port of where each takes joiners, if that is not one port up. */
  joinAddresses?: readonly string[];
  token: string | undefined;
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
  const token = options.token === undefined ? undefined : parseToken(options.token);
  const kept = usable(path, agentId, token, nowMs);
  if (kept && !token) return kept;
  if (kept && fingerprintOf(kept.authority) === token?.fingerprint) return kept;
  if (!token) {
    throw new MoestroError("environment", `${directory}: holds no certificate; ${REMEDY}`);
  }
  const name = certificateName("agent", agentId);
  const addresses = options.joinAddresses ?? options.coordinators.map(joinAddress);
  const material = await firstOf(addresses, (address) => joinCluster({ address, token, name }));
  writeCredentials(path, material);
  return checked(material);
}

/** What is kept, if it is of use. Without a token, what is of no use is an error. */
function usable(
  path: string,
  agentId: string,
  token: TokenText | undefined,
  nowMs: number,
): Credentials | undefined {
  let kept: Credentials | undefined;
  try {
    kept = readCredentials(path);
  } catch (error) {
    if (token) return undefined;
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
  if (token) return undefined;
  const until = new Date(kept.validToMs).toISOString();
  throw new MoestroError("environment", `${path}: the certificate expired on ${until}; ${REMEDY}`);
}
