import { lookup } from "node:dns/promises";
import { hostname, networkInterfaces } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { MachineAddresses } from "./advertised-address.ts";

/** A resolver that is away must not keep a coordinator from starting. */
const LOOKUP_MS = 2000;

/** What this machine's name and its interfaces stand for. */
export async function machineAddresses(): Promise<MachineAddresses> {
  const patience = new AbortController();
  const late = sleep(LOOKUP_MS, [], patience).catch(() => []);
  const found = lookup(hostname(), { all: true }).catch(() => []);
  const ofHostName = await Promise.race([found, late]);
  patience.abort();
  const interfaces = Object.values(networkInterfaces()).flatMap((some) => some ?? []);
  return { ofHostName, interfaces };
}
