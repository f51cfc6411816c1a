import { create } from "@bufbuild/protobuf";
import { type RunStatus, SubmitRunRequestSchema } from "../../proto/gen/moestro/v1/run_pb.js";
import { MoestroError } from "../errors.ts";
import type { ServiceRuns } from "../service/service-runs.ts";
import type { RunAction, Runs } from "./job-looks.ts";
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
    // One that has ended meanwhile, or was submitted before, is found so by the next look.
    async wish(action) {
      await unless(action.kind === "submitRun" ? "in_use" : "run_failed", () =>
        wish(runs, namespace, action),
      );
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
