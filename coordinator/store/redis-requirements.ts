import { MoestroError } from "../errors.ts";
import type { RedisClient } from "./redis-client.ts";

/** BullMQ's. */
const OLDEST = [6, 2] as const;

/**
 * Refuses a server that would lose runs by itself. Returns one line for each way in
 * which it may lose some when it dies.
 */
export async function checkRedis(client: RedisClient): Promise<string[]> {
  const info = await client.run((redis) => redis.info());
  const refuse = (what: string) =>
    new MoestroError("environment", `Redis at ${client.label}: ${what}`);
  const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(info)?.[1];
  const version = field("redis_version") ?? "0";
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    throw refuse(`is version ${version}; moestro needs ${OLDEST.join(".")} or later`);
  }
  const policy = field("maxmemory_policy");
  if (policy !== undefined && policy !== "noeviction") {
    throw refuse(
      `may forget runs (maxmemory-policy ${policy}); set it with: CONFIG SET maxmemory-policy noeviction`,
    );
  }
  if (field("role") === "slave") throw refuse("is a replica; give the address of its master");
  if (field("aof_enabled") === "1") return [];
  return [
    `Redis at ${client.label}: keeps no append-only file, so runs submitted shortly before it dies are lost; turn it on with: CONFIG SET appendonly yes`,
  ];
}
