import type { webcrypto } from "node:crypto";
import { certify, type Identity } from "./certificates.ts";
import type { Peer } from "./peer.ts";
import { certificateName } from "./roles.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
export const AGENT_LIFETIME_MS = DAY_MS;
export const PERSON_LIFETIME_MS = 30 * DAY_MS;

/** What coordinators issue certificates with. */
export type Issuer = {
  authority: Identity;
  now(): Date;
  agentLifetimeMs?: number;
  personLifetimeMs?: number;
};

/** A certificate for an agent, of one run or of any, or for a person; PEM. */
export function issueTo(
  issuer: Issuer,
  { id, role, runId }: Omit<Peer, "name">,
  publicKey: webcrypto.CryptoKey,
): Promise<string> {
  const { agentLifetimeMs = AGENT_LIFETIME_MS, personLifetimeMs = PERSON_LIFETIME_MS } = issuer;
  const lifetimeMs = role === "agent" ? agentLifetimeMs : personLifetimeMs;
  const who = { name: certificateName(role, id), role, runId };
  return certify(issuer.authority, { ...who, publicKey, lifetimeMs, hosts: [] }, issuer.now());
}
