import { create } from "@bufbuild/protobuf";
import { type RunStatus, SubmitRunRequestSchema } from "../../proto/gen/moestro/v1/run_pb.js";
import { MoestroError } from "../errors.ts";
import type { ServiceRuns } from "../service/service-runs.ts";
import type { RunAction, Runs, Wished } from "./job-looks.ts";
import { observedRun } from "./reconcile/observed-run.ts";

/** Who submits the runs of a namespace: no person can be called so, and only admins change them. */
export function ownerOf(namespace: string): string {
  return `kubernetes:${namespace}`;
}

/** The runs of the coordinator in this process. */
export function coordinatorRuns(runs: ServiceRuns, namespace: string): Runs {
  return {
    async find(runId) {
      const status = await unless("not_found", () => runs.status(runId));
      return status === undefined ? undefined : observedRun(status as RunStatus);
    },
    async wish(action) {
      try {
        // One that has ended meanwhile is found so by the next look.
        await unless("run_failed", () => wish(runs, namespace, action));
        return { kind: "done" };
      } catch (error) {
        const refusal = refusalIn(error);
        // Its own run, submitted by another operator meanwhile, is found by the next look.
        const isOurs = (await runs.owner(action.runId)) === ownerOf(namespace);
        return refusal.code === "in_use" && isOurs ? { kind: "done" } : refusal;
      }
    },
  };
}

async function wish(runs: ServiceRuns, namespace: string, action: RunAction): Promise<unknown> {
  const { runId } = action;
  switch (action.kind) {
    case "submitRun": {
      const { jobJson, minRanks, maxRanks, maxRestarts } = action;
      const request = create(SubmitRunRequestSchema, {
        ...{ runId, jobJson, minRanks, maxRanks, maxRestarts },
      });
      return runs.submit(request, ownerOf(namespace), { hasOwnAgents: true });
    }
    case "suspendRun":
      return runs.suspend(runId);
    case "resumeRun":
      return runs.resume(runId);
    case "cancelRun":
      return runs.stop(runId, false);
    case "scaleRun":
      return runs.scale(runId, action.minRanks, action.maxRanks);
  }
}

/** What is wrong with the wish itself; other trouble passes, and is thrown. */
const REFUSALS: readonly string[] = ["invalid_input", "no_plan", "in_use"];

function refusalIn(error: unknown): Extract<Wished, { kind: "refused" }> {
  if (!(error instanceof MoestroError) || !REFUSALS.includes(error.code)) throw error;
  return { kind: "refused", code: error.code, lines: error.lines };
}

async function unless<Result>(
  code: MoestroError["code"],
  body: () => Promise<Result>,
): Promise<Result | undefined> {
  try {
    return await body();
  } catch (error) {
    if (error instanceof MoestroError && error.code === code) return undefined;
    throw error;
  }
}
