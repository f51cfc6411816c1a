import { fromJson, toJson } from "@bufbuild/protobuf";
import type { EngineJob } from "../../proto/gen/moestro/v1/job_pb.js";
import { type Plan, PlanSchema } from "../../proto/gen/moestro/v1/plan_pb.js";
import type { ControllerOptions, ControllerState } from "../controller/controller.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { compileJob } from "../spec/compile-job.ts";
import type { Job } from "../spec/schema.ts";
import type { Held, Placed, RunLife, Store } from "../store/store.ts";
import { controllerBehind, controllersBehindRecords } from "./controller-state.ts";
import { makeDirectory, writeAtomically } from "./files.ts";
import { initialWeights } from "./initial-weights.ts";
import type { CheckpointLedger, CommittedCheckpoint } from "./ledger.ts";
import type { Recorder } from "./recorder.ts";
import { checkpointToResume } from "./resume.ts";
import type { RunDirectory } from "./run-directory.ts";
import type { RunJournal } from "./run-journal.ts";
import { numSlots } from "./slot-source.ts";
import { NOTHING_SUPERSEDED, type Superseded } from "./supersede.ts";

/** What does not change over a run's generations. */
export type RunContext = {
  runId: string;
  job: Job;
  law: ControllerOptions;
  directory: RunDirectory;
  ledger: CheckpointLedger;
  recorder: Recorder;
  journal: RunJournal;
  store: Store;
  held: Held;
  fleet: Fleet;
  /** Folder for tokenised text, shared between runs. */
  cacheDirectory: string;
  /** The plan for a number of ranks; throws MoestroError("no_plan") where none is legal. */
  planFor(ranks: number): Plan;
};

/** All that a generation is started, or taken over, with. */
export type PreparedGeneration = {
  number: number;
  placed: readonly Placed[];
  plan: Plan;
  engineJob: EngineJob;
  restore: CommittedCheckpoint | undefined;
  /** The controller's last states, the newest being that which the ranks go on with. */
  controllers: readonly ControllerState[];
  /** The step that its records go on behind. */
  recordedStep: number;
  /** Steps that will be trained again. */
  superseded: Superseded;
  adopt: boolean;
};

/** A new generation on these slots, behind the newest whole checkpoint. */
export async function prepareGeneration(
  context: RunContext,
  placed: readonly Placed[],
): Promise<PreparedGeneration> {
  const { runId, job, law, directory, ledger, recorder, journal, store, held } = context;
  // What waits may be the newest checkpoint.
  await recorder.written();
  const plan = context.planFor(numSlots(placed));
  const engineJob = engineJobOf(context, placed);
  const restore = await checkpointToResume(ledger, engineJob, ({ kind, message }) =>
    journal.event(kind, message),
  );
  if (job.model.weights !== undefined && !restore) {
    engineJob.initialWeights = await initialWeights(job.model.weights);
    const message = `training starts from the weights in ${job.model.weights}`;
    journal.event("weights.given", message);
  }
  // The number is stored before any process of the generation starts, and refused to one
  // who leads no more before anything is moved.
  const number = await store.nextGeneration(runId, held);
  const recordedStep = restore?.manifest.step ?? 0;
  ledger.setAsideAfter(recordedStep);
  const superseded = await recorder.steps.rewind(recordedStep);
  recorder.write(() => {
    makeDirectory(directory.logs(number));
    writeAtomically(directory.plan, `${JSON.stringify(toJson(PlanSchema, plan), null, 2)}\n`);
  });
  await recorder.written();
  const controller = controllerBehind(restore?.manifest, law, job.model.layers);
  return {
    ...{ number, placed, plan, engineJob, restore, recordedStep, superseded },
    ...{ controllers: [controller], adopt: false },
  };
}

/** The generation that runs already, begun under another coordinator. */
export function adoptGeneration(
  context: RunContext,
  life: RunLife,
  number: number,
): PreparedGeneration {
  const { job, law, directory, ledger, recorder } = context;
  const { placed } = life;
  recorder.steps.goOn();
  const recordedStep = recorder.steps.writtenStep;
  const restore = ledger.newestCommitted();
  const { everySteps } = job.checkpoint;
  const controllers = controllersBehindRecords(
    ...[directory, restore?.manifest, law, job.model.layers, everySteps],
  );
  return {
    ...{ number, placed, restore, recordedStep, superseded: NOTHING_SUPERSEDED, controllers },
    adopt: true,
    plan: fromJson(PlanSchema, life.plan),
    engineJob: engineJobOf(context, placed),
  };
}

function engineJobOf(context: RunContext, placed: readonly Placed[]): EngineJob {
  const { job, directory, cacheDirectory, fleet } = context;
  const hasGpus = placed.every(({ agentId, slots }) => {
    const gpus = fleet.member(agentId)?.hello?.inventory?.accelerators.length ?? 0;
    return slots.every((slot) => slot < gpus);
  });
  const { device } = job.cluster;
  return compileJob(job, {
    checkpointDirectory: directory.checkpoints,
    cacheDirectory,
    device: device === "auto" ? (hasGpus ? "cuda" : "cpu") : device,
  });
}
