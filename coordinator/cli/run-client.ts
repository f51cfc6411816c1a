import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { MethodDefinition } from "@grpc/grpc-js";
import { z } from "zod";
import { RunService } from "../../proto/gen/moestro/v1/run_pb.js";
import { grpcMethods } from "../../proto/grpc.ts";
import { MoestroError } from "../errors.ts";
import { type Coordinators, callLeader } from "../rpc/call-leader.ts";
import { RunDirectory } from "../run/run-directory.ts";
import { findCoordinators, localMaterial } from "./context.ts";
import { trainedRun } from "./ended-run.ts";

export const runMethods = grpcMethods(RunService);
const endpointSchema = z.object({ address: z.string() });

/** Where a person's runs may be: under `moestro train` here, or with a coordinator. */
export type Where = { runsDir: string; coordinator?: string[] };

/** Whoever answers for a run. */
export type RunCoordinators = Coordinators & {
  /** It is the process of `moestro train` that carries the run out, and nobody else can. */
  isTrain: boolean;
};

/** Ids of the runs in a folder, the newest first. */
export function runsByAge(runsDirectory: string): string[] {
  if (!existsSync(runsDirectory)) return [];
  return readdirSync(runsDirectory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({ name, at: statSync(join(runsDirectory, name)).birthtimeMs }))
    .sort((a, b) => b.at - a.at)
    .map(({ name }) => name);
}

/** Whether `moestro train` carries the run out on this machine, or was killed while it did. */
export function isTrained({ runsDir, coordinator }: Where, runId: string): boolean {
  return coordinator === undefined && existsSync(endpointOf(runsDir, runId));
}

/**
 * The coordinators to ask about a run: the `moestro train` that carries it out, else
 * those of the service. Throws MoestroError if neither is known here.
 */
export async function coordinatorsOf(where: Where, runId: string): Promise<RunCoordinators> {
  const { runsDir, coordinator } = where;
  if (isTrained(where, runId)) {
    const { address } = readEndpoint(runsDir, runId);
    return { addresses: [address], material: await localMaterial(), isTrain: true };
  }
  try {
    return { ...(await findCoordinators(coordinator)), isTrain: false };
  } catch (error) {
    if (!(error instanceof MoestroError) || !existsSync(runsDir)) throw error;
    // A folder alone may be a service's, whose ranks go on while no coordinator is there.
    if (await trainedRun(runsDir, runId)) throw notRunning(runId);
    const folder = join(runsDir, runId);
    if (existsSync(folder)) throw error;
    throw new MoestroError("not_found", `${folder}: there is no such run; ${error.message}`);
  }
}

/** One call about a run, to whoever answers for it. Throws MoestroError. */
export async function callRun<Request, Response>(
  where: Where,
  runId: string,
  method: MethodDefinition<Request, Response>,
  request: Request,
): Promise<Response> {
  const coordinators = await coordinatorsOf(where, runId);
  try {
    return await callLeader(coordinators, method, request);
  } catch (error) {
    throw coordinators.isTrain ? endedTrain(runId, error) : error;
  }
}

/** What a failed call says of a run of `moestro train`, whose coordinator ends with it. */
export function endedTrain(runId: string, error: unknown): unknown {
  const isAway = error instanceof MoestroError && error.code === "environment";
  return isAway ? notRunning(runId) : error;
}

function readEndpoint(runsDirectory: string, runId: string): z.infer<typeof endpointSchema> {
  try {
    return endpointSchema.parse(JSON.parse(readFileSync(endpointOf(runsDirectory, runId), "utf8")));
  } catch {
    // Gone since it was seen, or damaged: the run is over either way.
    throw notRunning(runId);
  }
}

function endpointOf(runsDirectory: string, runId: string): string {
  return new RunDirectory(join(runsDirectory, runId)).endpoint;
}

function notRunning(runId: string): MoestroError {
  return new MoestroError(
    "run_failed",
    `run ${runId} is not running; continue it with: moestro train job.yaml --resume ${runId}`,
  );
}
