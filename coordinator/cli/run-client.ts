import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { Client, credentials, type ServiceError, status } from "@grpc/grpc-js";
import { z } from "zod";
import { RunService } from "../../proto/gen/moestro/v1/run_pb.js";
import { grpcMethods } from "../../proto/grpc.ts";
import { MoestroError } from "../errors.ts";
import { loadAuthority } from "../rpc/authority.ts";
import { issue } from "../rpc/certificates.ts";
import { RunDirectory } from "../run/run-directory.ts";
import { stateDirectory } from "../state-directory.ts";

export const RPC_DEADLINE_MS = 5000;
export const runMethods = grpcMethods(RunService);
const endpointSchema = z.object({ address: z.string(), pid: z.number(), runId: z.string() });

/** The id of a run: the one given, else the newest in the folder. */
export function chooseRun(runsDirectory: string, runId: string | undefined): string {
  if (runId !== undefined) {
    if (existsSync(join(runsDirectory, runId))) return runId;
    throw new MoestroError("invalid_input", `${join(runsDirectory, runId)}: there is no such run`);
  }
  const newest = runsByAge(runsDirectory).at(0);
  if (newest) return newest;
  throw new MoestroError(
    "invalid_input",
    `${runsDirectory}: holds no run; start one with: moestro train job.yaml`,
  );
}

/** Ids of the runs in a folder, the newest first. */
export function runsByAge(runsDirectory: string): string[] {
  if (!existsSync(runsDirectory)) return [];
  return readdirSync(runsDirectory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({ name, at: statSync(join(runsDirectory, name)).birthtimeMs }))
    .sort((a, b) => b.at - a.at)
    .map(({ name }) => name);
}

/** A client of the coordinator that carries out a run, as this machine's user. */
export async function connectToRun(runsDirectory: string, runId: string): Promise<Client> {
  const { endpoint } = new RunDirectory(join(runsDirectory, runId));
  if (!existsSync(endpoint)) throw notRunning(runId);
  const { address } = endpointSchema.parse(JSON.parse(readFileSync(endpoint, "utf8")));
  const authority = await loadAuthority(stateDirectory(), new Date());
  const identity = await issue(authority, { name: "user:local", hosts: [] }, new Date());
  return new Client(
    address,
    credentials.createSsl(
      Buffer.from(authority.certificate),
      Buffer.from(identity.key),
      Buffer.from(identity.certificate),
    ),
  );
}

/** A failed call, told to a person. */
export function callError(runId: string, error: ServiceError): MoestroError {
  if (error.code === status.UNAVAILABLE) return notRunning(runId);
  return new MoestroError("run_failed", `run ${runId}: ${error.details}`);
}

function notRunning(runId: string): MoestroError {
  return new MoestroError(
    "run_failed",
    `run ${runId} is not running; continue it with: moestro train job.yaml --resume ${runId}`,
  );
}
