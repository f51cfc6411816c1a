import { type Identity, issue } from "./certificates.ts";
import { COORDINATOR } from "./client.ts";
import type { RpcServer } from "./server.ts";

/** Well within a certificate's life, and often enough to outlast days of failing. */
const DAY_MS = 24 * 60 * 60 * 1000;

/** A coordinator's certificate. Clients go by its name; the hosts are for other tools. */
export function issueCoordinator(authority: Identity, hosts: readonly string[]): Promise<Identity> {
  return issue(authority, { name: COORDINATOR, hosts: [COORDINATOR, ...hosts] }, new Date());
}

/** Gives servers that run for months a new certificate every day; returns what ends that. */
export function keepCertified(
  authority: Identity,
  hosts: readonly string[],
  servers: readonly Pick<RpcServer, "setIdentity">[],
  everyMs = DAY_MS,
): () => void {
  const renew = async () => {
    const identity = await issueCoordinator(authority, hosts);
    for (const server of servers) server.setIdentity(identity);
  };
  // A failure leaves the old certificate in place, which the next day finds still good.
  const timer = setInterval(() => void renew().catch(() => {}), everyMs).unref();
  return () => clearInterval(timer);
}
