import { readFileSync } from "node:fs";
import type { RedisOptions } from "ioredis";
import { MoestroError } from "../errors.ts";

/** Where a Redis is, how to get in, and how to speak of it. */
export type RedisAddress = {
  /** host:port or a socket's path: never a password. */
  label: string;
  options: RedisOptions;
};

const RULE =
  "give redis://[user:password@]host[:port][/database], rediss://… for TLS (with ?ca=, ?cert= and ?key= for files of your own), or unix:///path/of/redis.sock";

/**
 * Reads a Redis URL. User and password are percent-encoded in it. Throws
 * MoestroError("invalid_input") without repeating what may be a password.
 */
export function parseRedisUrl(text: string): RedisAddress {
  const url = URL.parse(text);
  if (!url) throw new MoestroError("invalid_input", `the Redis address is no URL; ${RULE}`);
  const { protocol } = url;
  if (protocol === "unix:" && url.pathname.length > 1 && url.host === "") {
    const path = decodeURIComponent(url.pathname);
    return { label: path, options: { path } };
  }
  if ((protocol !== "redis:" && protocol !== "rediss:") || url.hostname === "") {
    throw new MoestroError("invalid_input", `${protocol}//…: is no address of a Redis; ${RULE}`);
  }
  // IPv6 addresses stand in brackets in a URL, and without them in a socket's options.
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = Number(url.port || 6379);
  const label = `${url.hostname}:${port}`;
  const database = url.pathname.slice(1);
  if (!/^\d*$/.test(database)) {
    throw new MoestroError("invalid_input", `${label}: database ${database} is no number; ${RULE}`);
  }
  const options: RedisOptions = { host, port, db: Number(database), ...login(url) };
  if (protocol === "rediss:") options.tls = files(url);
  return { label, options };
}

function login(url: URL): RedisOptions {
  return {
    ...(url.username && { username: decodeURIComponent(url.username) }),
    ...(url.password && { password: decodeURIComponent(url.password) }),
  };
}

/** What the URL's query names: the authority that signed the server, a client's certificate. */
function files(url: URL): { ca?: Buffer; cert?: Buffer; key?: Buffer } {
  const read = (name: "ca" | "cert" | "key") => {
    const path = url.searchParams.get(name);
    if (path === null) return {};
    try {
      return { [name]: readFileSync(path) };
    } catch (error) {
      throw new MoestroError(
        "invalid_input",
        `${path}: cannot be read as the Redis address's ${name}: ${(error as Error).message}; ${RULE}`,
      );
    }
  };
  return { ...read("ca"), ...read("cert"), ...read("key") };
}
