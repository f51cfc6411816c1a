import { lookup } from "node:dns/promises";
import { hostname, networkInterfaces } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { MachineAddresses } from "./advertised-address.ts";

/** A resolver that is away must not keep a coordinator from starting. */
const LOOKUP_MS = 2000;

/** What this machine is called, and what its name and its interfaces stand for. */
export async function machineAddresses(): Promise<MachineAddresses> {
  const hostName = hostname();
  const patience = new AbortController();
  const late = sleep(LOOKUP_MS, [], patience).catch(() => []);
  const found = lookup(hostName, { all: true }).catch(() => []);
  const ofHostName = await Promise.race([found, late]);
  patience.abort();
  const interfaces = Object.values(networkInterfaces()).flatMap((some) => some ?? []);
  return { hostName, ofHostName, interfaces };
}
