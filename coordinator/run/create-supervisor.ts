import type { Plan } from "../../proto/gen/moestro/v1/plan_pb.js";
import { controllerOptions } from "../controller/options.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { Telemetry } from "../observability/telemetry.ts";
import type { TraceRecovery } from "../observability/trace.ts";
import { modelFlopsPerToken } from "../planner/model/model-flops.ts";
import { shapeOfJob } from "../planner/model/shape-of-job.ts";
import type { Job } from "../spec/schema.ts";
import type { Held, RunLife, RunSpec, RunWish, Store } from "../store/store.ts";
import { CheckpointLedger } from "./ledger.ts";
import { Recorder } from "./recorder.ts";
import type { RunDirectory } from "./run-directory.ts";
import { RunJournal, type RunObserver } from "./run-journal.ts";
import type { RunState } from "./run-state.ts";
import type { SlotSource } from "./slot-source.ts";
import { Supervisor } from "./supervisor.ts";

export type RunToSupervise = {
  runId: string;
  spec: RunSpec;
  /** `spec.job`, read. */
  job: Job;
  wish: RunWish;
  /** Starts of its ranks so far. */
  generation: number;
  life: RunLife | undefined;
  /** What state it is in as this begins. */
  state: RunState;
  reason: string;
};

export type Surroundings = {
  directory: RunDirectory;
  store: Store;
  held: Held;
  fleet: Fleet;
  slots: SlotSource;
  /** Folder for tokenised text, shared between runs. */
  cacheDirectory: string;
  networkInterface: string;
  observer: RunObserver;
  planFor(ranks: number): Plan;
  /** Whether this coordinator certainly leads. */
  leads(): boolean;
  telemetry: Telemetry;
  /** Told of every recovery that is over. */
  trace: TraceRecovery;
};

/** A run with everything it is seen through with. */
export function createSupervisor(run: RunToSupervise, around: Surroundings): Supervisor {
  const { runId, spec, job, wish, life, generation } = run;
  const { directory, store, held, fleet, observer, cacheDirectory, planFor } = around;
  const recorder = new Recorder({
    ...{ directory, leads: around.leads },
    checkpointEverySteps: job.checkpoint.everySteps,
    stuck: (error) => journal.recordsWait(error),
    unstuck: () => journal.recordsWritten(),
  });
  const journal: RunJournal = new RunJournal({
    recorder,
    observer,
    leads: around.leads,
    facts: {
      ...{ runId, name: spec.name, owner: spec.owner, priority: spec.priority },
      ...{ submittedAtMs: spec.submittedAtMs, maxRestarts: spec.maxRestarts },
      ...{ minRanks: wish.minRanks, maxRanks: wish.maxRanks },
      ...{ state: run.state, reason: run.reason, generation },
      totalSteps: job.training.steps,
      restarts: life?.restarts ?? 0,
      countedRestarts: life?.countedRestarts ?? 0,
      stepsLost: life?.stepsLost ?? 0,
      ...{ plan: undefined, ranks: new Map(), last: undefined, validationLoss: undefined },
      ...{ stepMs: undefined, checkpointStep: 0, goodput: 1, lateControlValues: 0, sample: null },
      flopsPerToken: modelFlopsPerToken(shapeOfJob(job), job.training.sequenceLength),
      ...{ peakFlops: undefined, exitCode: 0, recordsWait: undefined },
    },
    stateChanged: (state, reason) => store.setLife(runId, held, supervisor.life(state, reason)),
  });
  const ledger = new CheckpointLedger(directory.checkpoints);
  const context = {
    ...{ runId, job, law: controllerOptions(job), directory, ledger, recorder, journal },
    ...{ store, held, fleet, cacheDirectory, planFor },
  };
  const { slots, networkInterface, telemetry, trace } = around;
  const how = { slots, networkInterface, telemetry, trace };
  const supervisor = new Supervisor({ context, spec, life, ...how });
  return supervisor;
}
