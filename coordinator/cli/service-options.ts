import { resolve } from "node:path";
import { setFlagsFromString } from "node:v8";
import { type Command, InvalidArgumentError, Option } from "commander";
import { LOG_LEVELS, type Log, type LogLevel, openLog } from "../observability/log.ts";
import { SCHEDULING_OPTIONS } from "../queue/schedule.ts";
import { readAddress } from "../rpc/address.ts";
import { type Advertise, isWildcard } from "../service/advertised-address.ts";
import type { Coordinator, CoordinatorOptions } from "../service/coordinator.ts";
import { cacheDirectory, ensureDirectory, stateDirectory } from "../state-directory.ts";
import { publishCoordinator } from "./local-coordinators.ts";
import { parseAddress, runsDirectoryOption } from "./options.ts";
import { wholeNumber } from "./whole-number.ts";

const KEEP_ENDED = 10_000;
const LINGER_MS = 2000;
/**
 * Reports of thousands of ranks wait for one another for up to a step, and then die in the
 * heap's old part. It is collected when it has grown by this many percent: with 1,000 agents
 * a quarter less memory for a seventh more processor time (`npm run bench:scale`).
 */
const HEAP_GROWING_PERCENT = 40;

/** Of every command that is a coordinator. */
export type ServiceOptions = {
  listen: { host: string; port: number };
  advertise?: Advertise;
  joinPort?: number;
  redis?: string;
  runsDir: string;
  interface: string;
  quota: Map<string, number>;
  maxSlots?: number;
  keepEnded: number;
  http?: { host: string; port: number };
  logLevel: LogLevel;
};

export function addServiceOptions(command: Command): Command {
  return command
    .option("--listen <host:port>", "where agents and commands connect", parseAddress, {
      host: "127.0.0.1",
      port: 7070,
    })
    .option(
      "--advertise <host[:port]>",
      "where agents and commands are told that it is (default: where it listens; on a wildcard, this machine's address)",
      parseAdvertise,
    )
    .option(
      "--join-port <port>",
      "where holders of a token join (default: the next port)",
      parsePort,
    )
    .option("--redis <url>", "the store that coordinators share (default: a private redis-server)")
    .option(
      "--interface <name>",
      "interface that ranks talk over, unless their agent names one",
      "",
    )
    .option(
      "--quota <owner=slots>",
      "slots that one owner may use at once (again for others)",
      addQuota,
      new Map<string, number>(),
    )
    .option("--max-slots <n>", "slots that all runs together may use", parseSlots)
    .option(
      "--keep-ended <n>",
      "runs that are over and stay listed, the last to end; folders stay of all",
      wholeNumber(0),
      KEEP_ENDED,
    )
    .option("--http <host:port>", "where /metrics, /livez and /readyz are served", parseAddress)
    .addOption(
      new Option("--log-level <level>", "the least that is logged")
        .choices(LOG_LEVELS)
        .default("info"),
    )
    .addOption(runsDirectoryOption());
}

/** What goes with a coordinator in its process. */
export interface Company {
  /** What the options do not say. */
  options: Partial<CoordinatorOptions>;
  /** Begins it; returns what ends it. */
  begin(coordinator: Coordinator): () => Promise<void>;
}

/** Runs a coordinator, and what goes with it, until a person or the system asks for its end. */
export async function runService(
  options: ServiceOptions,
  companyOf?: (log: Log) => Company,
): Promise<void> {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`);
  // Of all commands these alone need it, and it takes a while to load.
  const { Coordinator } = await import("../service/coordinator.ts");
  const log = openLog({ level: options.logLevel });
  const company = companyOf?.(log);
  const coordinator = await Coordinator.start({
    stateDirectory: stateDirectory(),
    runsDirectory: ensureDirectory(resolve(options.runsDir)),
    cacheDirectory: cacheDirectory(),
    redisUrl: options.redis,
    listen: options.listen,
    advertise: options.advertise,
    joinPort: options.joinPort,
    quotas: { byOwner: options.quota, total: options.maxSlots },
    scheduling: SCHEDULING_OPTIONS,
    keepEnded: options.keepEnded,
    networkInterface: options.interface,
    http: options.http,
    log,
    ...company?.options,
  });
  log.info(`agents and commands connect to ${coordinator.address}`);
  const unpublish = publishCoordinator(coordinator.localAddress);
  const end = company?.begin(coordinator);
  try {
    await asked();
  } finally {
    unpublish();
    await end?.();
    await coordinator.close();
    // Nothing is left to do. A socket that was cut as it began must not hold up an upgrade.
    setTimeout(() => process.exit(), LINGER_MS).unref();
  }
}

/** Settles when a person or the system asks this process to end. */
function asked(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "disconnect"] as const) {
      process.once(signal, () => resolve());
    }
  });
}

function parseAdvertise(text: string): Advertise {
  const read = readAddress(text);
  if (read && read.port !== 0 && /^[0-9A-Za-z:][\w.:-]*$/.test(read.host) && !isWildcard(read.host))
    return read;
  throw new InvalidArgumentError(
    "give a name or address that others reach this machine by, such as train-0.example.org, 10.0.0.7:7443 or [2001:db8::1]",
  );
}

function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError("give a port, or 0 for any free one");
}

function parseSlots(text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("give a whole number of at least 1");
}

function addQuota(text: string, quotas: Map<string, number>): Map<string, number> {
  const [, owner, slots] = /^([^=\s]+)=(\d{1,7})$/.exec(text) ?? [];
  if (owner === undefined) throw new InvalidArgumentError("give owner=slots, such as alice=64");
  return new Map([...quotas, [owner, Number(slots)]]);
}
