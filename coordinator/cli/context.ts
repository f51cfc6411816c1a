import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Client, MethodDefinition } from "@grpc/grpc-js";
import { Option } from "commander";
import { z } from "zod";
import { MoestroError } from "../errors.ts";
import { splitAddress } from "../rpc/address.ts";
import { AUTHORITY_FILE, loadAuthority, writePrivate } from "../rpc/authority.ts";
import { type Coordinators, callLeader } from "../rpc/call-leader.ts";
import { connect } from "../rpc/call-unary.ts";
import { issue } from "../rpc/certificates.ts";
import type { TlsMaterial } from "../rpc/client.ts";
import { type Credentials, readCredentials, writeCredentials } from "../rpc/credentials-file.ts";
import { firstOf } from "../rpc/first-of.ts";
import { renewalDueMs, renewCredentials } from "../rpc/renew-client.ts";
import { stateDirectory } from "../state-directory.ts";
import { localCoordinators } from "./local-coordinators.ts";

const contextSchema = z.object({
  /** host:port, in the order they are tried. */
  coordinators: z.array(z.string()).min(1),
  name: z.string(),
  role: z.string(),
});

/** Where a person's commands go, and as whom. Certificate and key lie beside it. */
export type Context = z.infer<typeof contextSchema>;

const contextPath = () => join(stateDirectory(), "context.json");
const credentialsPath = () => join(stateDirectory(), "credentials.pem");

/** Keeps what `moestro login` got; commands use it from then on. */
export function writeContext(context: Context, material: TlsMaterial): void {
  writeCredentials(credentialsPath(), material);
  writePrivate(contextPath(), `${JSON.stringify(context, undefined, 2)}\n`);
}

/** The option of every command that speaks to a coordinator. */
export function coordinatorOption(): Option {
  return new Option(
    "--coordinator <host:port,...>",
    "coordinators to speak to (default: those logged in to, else this machine's)",
  )
    .env("MOESTRO_COORDINATOR")
    .argParser(parseCoordinators);
}

export function parseCoordinators(text: string): string[] {
  const addresses = text.split(",").map((address) => address.trim());
  for (const address of addresses) splitAddress(address);
  return addresses;
}

/**
 * The coordinators a command speaks to and the certificate it shows them: those of
 * `moestro login`, else of this machine, whose authority makes its owner an admin.
 */
export async function findCoordinators(given?: readonly string[]): Promise<Coordinators> {
  const context = readContext();
  if (context) {
    const addresses = given ?? context.coordinators;
    return { addresses, material: await personCredentials(addresses) };
  }
  const addresses = given ?? localCoordinators();
  if (addresses.length === 0 || !existsSync(join(stateDirectory(), AUTHORITY_FILE))) {
    throw new MoestroError(
      "environment",
      "no coordinator is known here; start one with: moestro serve, or log in to one with: moestro login --coordinator host:port --token ...",
    );
  }
  return { addresses, material: await localMaterial() };
}

/** A client of the first coordinator that answers, for reading and watching. */
export async function connectToCoordinator(given?: readonly string[]): Promise<Client> {
  const { addresses, material } = await findCoordinators(given);
  return firstOf(addresses, (address) => connect({ address, trust: material }));
}

/** One call to the coordinators, to the one that leads if it must be that. */
export async function callCoordinator<Request, Response>(
  method: MethodDefinition<Request, Response>,
  request: Request,
  given?: readonly string[],
): Promise<Response> {
  return callLeader(await findCoordinators(given), method, request);
}

/** Whoever can read this machine's authority is an admin of what it has made. */
export async function localMaterial(): Promise<TlsMaterial> {
  const now = new Date();
  const authority = await loadAuthority(stateDirectory(), now);
  const wanted = { name: "user:local", role: "admin", hosts: [] } as const;
  return { ...(await issue(authority, wanted, now)), authority: authority.certificate };
}

function readContext(): Context | undefined {
  const path = contextPath();
  if (!existsSync(path)) return undefined;
  try {
    return contextSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    throw new MoestroError("environment", `${path}: is damaged; log in again or remove it`);
  }
}

/** Of `moestro login`; renewed by being used. */
async function personCredentials(addresses: readonly string[]): Promise<Credentials> {
  const path = credentialsPath();
  const kept = readCredentials(path);
  if (!kept) throw new MoestroError("environment", `${path}: is missing; log in again`);
  if (kept.validToMs <= Date.now()) {
    const until = new Date(kept.validToMs).toISOString();
    throw new MoestroError(
      "environment",
      `${path}: the certificate expired on ${until}; log in again with a token that an admin makes: moestro token create`,
    );
  }
  if (Date.now() < renewalDueMs(kept, 0)) return kept;
  try {
    const renewed = await renewCredentials(addresses, kept);
    writeCredentials(path, renewed);
    return renewed;
  } catch {
    // There is time left: the next command tries again.
    return kept;
  }
}
