import { isIPv6 } from "node:net";
import { MoestroError } from "../errors.ts";

export type HostPort = { host: string; port: number };

const ADDRESS = /^(?:\[(?<v6>[^\]\s]+)\]|(?<name>[^\s:/[\]]+))(?::(?<digits>\d{1,5}))?$/;

/** Reads "host", "host:port", "[v6]" or "[v6]:port"; undefined if it is none of them. */
export function readAddress(text: string): { host: string; port: number | undefined } | undefined {
  const { v6, name, digits } = ADDRESS.exec(text)?.groups ?? {};
  const host = v6 ?? name;
  const port = digits === undefined ? undefined : Number(digits);
  if (host === undefined || (port ?? 0) > 65_535 || (v6 !== undefined && !isIPv6(v6))) {
    return undefined;
  }
  return { host, port };
}

/** Reads "host:port", "[v6]:port". Throws MoestroError("invalid_input"). */
export function splitAddress(address: string): HostPort {
  const { host, port } = readAddress(address) ?? {};
  if (host !== undefined && port !== undefined && port >= 1) return { host, port };
  throw new MoestroError(
    "invalid_input",
    `${JSON.stringify(address)}: give host:port, such as train-0.example.org:7443 or [2001:db8::1]:7443`,
  );
}

/** As `splitAddress` reads it. */
export function formatAddress({ host, port }: HostPort): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** Where a coordinator serves those that have no certificate yet, unless told: one port up. */
export function joinAddress(address: string): string {
  const { host, port } = splitAddress(address);
  return formatAddress({ host, port: port + 1 });
}
