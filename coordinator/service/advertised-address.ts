import type { NetworkInterfaceInfo } from "node:os";

/** What a person says of where a coordinator is; without a port it is that it listens on. */
export type Advertise = { host: string; port: number | undefined };

/** What a machine's name and interfaces stand for. */
export type MachineAddresses = {
  /** What the host name resolves to. */
  ofHostName: readonly { address: string; family: number }[];
  interfaces: readonly Pick<NetworkInterfaceInfo, "address" | "family" | "internal">[];
};

/** Whether it is "any address of this machine": good to listen on, not to connect to. */
export function isWildcard(host: string): boolean {
  return /^(?:0|0\.0\.0\.0|[0:]*:[0:]*|::ffff:0\.0\.0\.0)$/i.test(host);
}

/**
 * Where agents and commands are told that a coordinator is: what it was given, else where it
 * listens; on a wildcard what the machine's name stands for, or the first address that is no
 * loopback. Not the name: others may not know it. On a machine without any address, only its
 * own processes connect. Pure.
 */
export function advertisedHost(
  listening: string,
  advertise: Advertise | undefined,
  machine: MachineAddresses,
): string {
  if (advertise) return advertise.host;
  return isWildcard(listening) ? hostOf(listening, machine) : listening;
}

/** Where this machine's own processes find it. */
export function localHost(listening: string): string {
  return isWildcard(listening) ? loopbackOf(listening) : listening;
}

/** Names on its certificate, for tools that go by them: where it listens, and where it says it is. */
export function certifiedHosts(...hosts: string[]): string[] {
  return [...new Set(["localhost", ...hosts])].filter((host) => !isWildcard(host));
}

function hostOf(wildcard: string, { ofHostName, interfaces }: MachineAddresses): string {
  // Who listens on IPv6's wildcard is reached by IPv4 as well.
  const isReached = (family: number) => wildcard.includes(":") || family === 4;
  const named = ofHostName.find(({ address, family }) => isReached(family) && !isLoopback(address));
  if (named) return named.address;
  const first = interfaces.find(
    ({ address, family, internal }) =>
      !internal && isReached(family === "IPv4" ? 4 : 6) && !isLinkLocal(address),
  );
  return first?.address ?? loopbackOf(wildcard);
}

function loopbackOf(wildcard: string): string {
  return wildcard.includes(":") ? "::1" : "127.0.0.1";
}

function isLoopback(address: string): boolean {
  return /^(?:127\.|::1$|::ffff:127\.)/i.test(address);
}

/** Good on one cable only, and only with the interface's name. */
function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/i.test(address);
}
