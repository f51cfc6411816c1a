import { hostname } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { pythonExecutable } from "../../coordinator/environment/python.ts";
import { MoestroError } from "../../coordinator/errors.ts";
import { type HostPort, splitAddress } from "../../coordinator/rpc/address.ts";
import { stateDirectory } from "../../coordinator/state-directory.ts";

export type AgentOptions = {
  /** host:port of every coordinator there may be. */
  coordinators: readonly string[];
  agentId: string;
  /** The folder this agent's certificate is kept in, for this agent alone. */
  credentials: string;
  /** What it joins with, while it has no certificate. */
  token: string | undefined;
  /** What it joins with instead in a pod, whenever it has no certificate that holds. */
  tokenFiles: TokenFiles | undefined;
  /** host:port of where coordinators take joiners; none: one port up of each. */
  joinAddresses: readonly string[];
  /** The Python interpreter ranks run on. */
  python: string;
  /** Ranks this node has room for; undefined: as many as it has GPUs, else processors. */
  numSlots: number | undefined;
  /** Where ranks of other nodes reach those of this one; undefined: where it connects from. */
  address: string | undefined;
  /** Where it answers its peers; undefined: a free port of its address. */
  probeListen: HostPort | undefined;
  /** The network interface ranks talk over; empty leaves it to the coordinator or torch. */
  networkInterface: string;
  /** Print what ranks write, and some of their steps. */
  printLogs: boolean;
  /** How long a coordinator has to have ranks go elsewhere when the agent is asked to end. */
  leaveMs: number;
  /** The credentials are for this process alone: it removes them once read, and the folder at its end. */
  ownCredentials: boolean;
  /** End when standard input ends, which is when the process that started the agent is gone. */
  exitWithParent: boolean;
};

/** Files that others keep up to date. */
export type TokenFiles = {
  /** Of a service-account token. */
  token: string;
  /** Of the certificate that coordinators are known by, PEM. */
  authority: string;
};

const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const MAX_SLOTS = 1024;
const MAX_LEAVE_SECONDS = 86_400;

/** Reads the command line. Throws MoestroError("invalid_input"). */
export function parseOptions(args: readonly string[]): AgentOptions {
  const { values } = read(args);
  const agentId = values["agent-id"];
  if (!ID.test(agentId)) {
    throw invalid(
      `--agent-id ${agentId}: give up to 63 letters, digits, dots, underscores and dashes`,
    );
  }
  const { slots, address } = values;
  return {
    coordinators: parseCoordinators(values.coordinator ?? []),
    ...{ agentId, python: values.python },
    credentials: values.credentials ?? join(stateDirectory(), "agents", agentId),
    ...joiningOf(values),
    joinAddresses: parseList("--join", values.join ?? []),
    numSlots: slots === undefined ? undefined : parseSlots(slots),
    address: address === undefined ? undefined : parseHost(address),
    probeListen: parseProbeListen(values["probe-listen"]),
    networkInterface: values.interface,
    printLogs: values["print-logs"],
    leaveMs: parseSeconds("--leave-seconds", values["leave-seconds"]) * 1000,
    ownCredentials: values["own-credentials"],
    exitWithParent: values["exit-with-parent"],
  };
}

type JoiningValues = Partial<Record<"token" | "token-file" | "authority", string>>;

function joiningOf(values: JoiningValues): Pick<AgentOptions, "token" | "tokenFiles"> {
  const { "token-file": file, authority } = values;
  // Where others on this machine do not see it, unlike a command line.
  const token = values.token ?? (process.env.MOESTRO_TOKEN || undefined);
  if (file === undefined && authority === undefined) return { token, tokenFiles: undefined };
  if (file === undefined) {
    throw invalid("--authority: is for agents in pods; give --token-file too, or --token alone");
  }
  if (authority === undefined) {
    throw invalid("--token-file: give --authority too, the file of the coordinators' certificate");
  }
  if (token !== undefined) {
    throw invalid("--token-file: an agent joins with it or with --token; give one of the two");
  }
  return { token, tokenFiles: { token: file, authority } };
}

function parseCoordinators(given: readonly string[]): string[] {
  const coordinators = parseList("--coordinator", given);
  if (coordinators.length > 0) return coordinators;
  throw invalid("--coordinator is missing: give host:port, or several with commas between");
}

function parseList(flag: string, given: readonly string[]): string[] {
  const addresses = given.flatMap((list) => list.split(",")).filter((one) => one !== "");
  for (const one of addresses) parseAddress(flag, one);
  return addresses;
}

function parseSlots(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= MAX_SLOTS) return count;
  throw invalid(`--slots ${text}: give a whole number from 1 to ${MAX_SLOTS}`);
}

function parseSeconds(flag: string, text: string): number {
  if (/^\d{1,6}$/.test(text) && Number(text) <= MAX_LEAVE_SECONDS) return Number(text);
  throw invalid(`${flag} ${text}: give whole seconds from 0 to ${MAX_LEAVE_SECONDS}`);
}

function parseAddress(flag: string, text: string): HostPort {
  try {
    return splitAddress(text);
  } catch (error) {
    throw invalid(`${flag} ${(error as Error).message}`);
  }
}

function parseHost(text: string): string {
  if (/^[\w.:-]+$/.test(text) && !/^[\w.-]+:\d+$/.test(text)) return text;
  throw invalid(`--address ${text}: give a host name or address, without a port`);
}

function parseProbeListen(text: string | undefined) {
  if (text === undefined) return undefined;
  // Port 0 is no address to connect to, but one to listen on: any free port.
  const isAnyPort = text.endsWith(":0");
  const { host, port } = parseAddress("--probe-listen", text.replace(/:0$/, ":1"));
  return { host, port: isAnyPort ? 0 : port };
}

function read(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        coordinator: { type: "string", multiple: true },
        "agent-id": { type: "string", default: hostname() },
        credentials: { type: "string" },
        token: { type: "string" },
        "token-file": { type: "string" },
        authority: { type: "string" },
        join: { type: "string", multiple: true },
        python: { type: "string", default: pythonExecutable() },
        slots: { type: "string" },
        address: { type: "string" },
        "probe-listen": { type: "string" },
        interface: { type: "string", default: "" },
        "leave-seconds": { type: "string", default: "60" },
        "own-credentials": { type: "boolean", default: false },
        "print-logs": { type: "boolean", default: false },
        "exit-with-parent": { type: "boolean", default: false },
      },
    });
  } catch (error) {
    throw invalid((error as Error).message);
  }
}

function invalid(line: string): MoestroError {
  return new MoestroError("invalid_input", line);
}
