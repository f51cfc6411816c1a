import { create, fromBinary } from "@bufbuild/protobuf";
import { type RunStatus, RunStatusSchema } from "../../proto/gen/moestro/v1/run_pb.js";
import { stateCode } from "../run/run-status.ts";
import type { StoredRun } from "../store/store.ts";
import { jobOf } from "./queued-run.ts";

/** A run's status as far as the store knows it; `last` is the last that its leader left. */
export function storedStatus(run: StoredRun, last: Uint8Array | undefined): RunStatus {
  const { runId, spec, wish, life, generation } = run;
  const status = last
    ? fromBinary(RunStatusSchema, last)
    : create(RunStatusSchema, { goodput: 1, totalSteps: BigInt(jobOf(spec.job).training.steps) });
  return Object.assign(status, {
    ...{ runId, name: spec.name, owner: spec.owner, priority: spec.priority },
    ...{ submittedAtMs: BigInt(spec.submittedAtMs), maxRestarts: spec.maxRestarts },
    ...{ minRanks: wish.minRanks, maxRanks: wish.maxRanks, generation: BigInt(generation) },
    ...{ state: stateCode(life.state), reason: life.reason },
    exitCode: life.exitCode,
    ...{ restarts: life.restarts, countedRestarts: life.countedRestarts },
    stepsLost: BigInt(life.stepsLost),
    numRanks: life.placed.reduce((sum, { slots }) => sum + slots.length, 0),
  });
}
