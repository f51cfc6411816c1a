import { RunState as ProtoState, type RunStatus } from "../../../proto/gen/moestro/v1/run_pb.js";
import { isRunState } from "../../run/run-state.ts";
import type { ObservedRun } from "./observation.ts";

/** What the operator sees of a run; figures that there are none of yet are left out. */
export function observedRun(status: RunStatus): ObservedRun {
  const { reason, restarts, countedRestarts, numRanks, minRanks, maxRanks, layout } = status;
  const { mfu } = status;
  const state = ProtoState[status.state].toLowerCase();
  if (!isRunState(state)) throw new RangeError(`${status.runId}: ${state} is no state of a run`);
  const hasSteps = status.step > 0n;
  return {
    ...{ state, reason, restarts, countedRestarts, numRanks, minRanks, maxRanks, layout },
    ...{ step: Number(status.step), totalSteps: Number(status.totalSteps) },
    generation: Number(status.generation),
    ...(hasSteps ? { loss: status.loss, dropRate: status.dropRate } : {}),
    ...(hasSteps && status.etaMs > 0n ? { etaMs: Number(status.etaMs) } : {}),
    ...(mfu === undefined ? {} : { mfu }),
  };
}
