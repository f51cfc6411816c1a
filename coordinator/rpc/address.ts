import { MoestroError } from "../errors.ts";

export type HostPort = { host: string; port: number };

/** Reads "host:port", "[v6]:port". Throws MoestroError("invalid_input"). */
export function splitAddress(address: string): HostPort {
  const { v6, name, digits } =
    /^(?:\[(?<v6>[0-9A-Fa-f:.]+)\]|(?<name>[^\s:/[\]]+)):(?<digits>\d{1,5})$/.exec(address)
      ?.groups ?? {};
  const host = v6 ?? name;
  const port = Number(digits);
  if (host !== undefined && port >= 1 && port <= 65535) return { host, port };
  throw new MoestroError(
    "invalid_input",
    `${JSON.stringify(address)}: give host:port, such as train-0.example.org:7443 or [2001:db8::1]:7443`,
  );
}

/** Where a coordinator serves those that have no certificate yet, unless told: one port up. */
export function joinAddress(address: string): string {
  const { host, port } = splitAddress(address);
  return `${host.includes(":") ? `[${host}]` : host}:${port + 1}`;
}
