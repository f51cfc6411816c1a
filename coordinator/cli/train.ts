import { copyFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { toJson } from "@bufbuild/protobuf";
import { Command, InvalidArgumentError } from "commander";
import { type Plan, PlanSchema } from "../../proto/gen/moestro/v1/plan_pb.js";
import { createController } from "../controller/controller.ts";
import { controllerOptions } from "../controller/options.ts";
import { restoreController } from "../controller/restore.ts";
import { chooseDevice } from "../environment/device.ts";
import { requirePython } from "../environment/python.ts";
import { describePlan } from "../planner/describe-plan.ts";
import { planJob } from "../planner/plan-job.ts";
import { writeReport } from "../report/write-report.ts";
import { writeAtomically, writeError } from "../run/files.ts";
import { initialWeights } from "../run/initial-weights.ts";
import { CheckpointLedger } from "../run/ledger.ts";
import { LocalRun, type LocalRunResult } from "../run/local-run.ts";
import { checkpointToResume, type ResumeNote } from "../run/resume.ts";
import { RunDirectory } from "../run/run-directory.ts";
import { compileJob } from "../spec/compile-job.ts";
import { refuseUntrainable } from "../spec/engine-model.ts";
import { type JobFile, loadJob } from "../spec/load-job.ts";
import { cacheDirectory, ensureDirectory, stateDirectory } from "../state-directory.ts";
import { currentHolder } from "../store/holder.ts";
import type { RunStore } from "../store/run-store.ts";
import { openSqliteStore } from "../store/sqlite-store.ts";
import { epilogue } from "./epilogue.ts";
import { runsDirectoryOption, STORE_FILE, useColor } from "./options.ts";
import { planByProbe } from "./plan/plan-probed.ts";
import { newRunId, parseRunId, runToResume } from "./run-ids.ts";
import { stopOnSignals } from "./signals.ts";
import { chooseMode } from "./view/terminal.ts";
import { createView, type View } from "./view/view.ts";

/** The conventional exit code of a process that Ctrl-C ended. */
const INTERRUPTED = 130;

type TrainOptions = {
  resume?: true | string;
  runId?: string;
  runsDir: string;
  json: boolean;
  plain: boolean;
  listen: { host: string; port: number };
  profile?: string;
};

export function trainCommand(): Command {
  return new Command("train")
    .description("train a job on this machine, from plan to report")
    .argument("<job>", "the job file (YAML)")
    .option(
      "--resume [run]",
      "continue a run behind its last checkpoint (default: the job's newest)",
    )
    .option("--run-id <id>", "name of the new run's folder", parseRunId)
    .option("--profile <file>", "run the layout that is quickest by what moestro probe measured")
    .option("--json", "one JSON object a line, for programs", false)
    .option("--plain", "plain lines even on a terminal", false)
    .option(
      "--listen <host:port>",
      "where the coordinator listens (port 0 is a free one)",
      parseAddress,
      {
        host: "127.0.0.1",
        port: 0,
      },
    )
    .addOption(runsDirectoryOption())
    .action(async (path: string, options: TrainOptions) => {
      process.exitCode = await train(path, options);
    });
}

/** Returns the process's exit code. */
async function train(path: string, options: TrainOptions): Promise<number> {
  const file = await loadJob(path);
  refuseUntrainable(file);
  const { profile } = options;
  const plan =
    profile === undefined
      ? planJob(file.job, { source: file.source })
      : await planByProbe(file, profile);
  const python = await requirePython();
  const device = await chooseDevice(file.job.cluster);
  const runsDirectory = ensureDirectory(resolve(options.runsDir));
  const { name } = file.job;
  const runId = options.resume
    ? runToResume(runsDirectory, name, options.resume)
    : newRunId(runsDirectory, name, options.runId, new Date());
  const directory = new RunDirectory(ensureDirectory(join(runsDirectory, runId)));
  const store = openSqliteStore(join(runsDirectory, STORE_FILE));
  try {
    const epoch = await store.acquire(runId, currentHolder());
    const stream = process.stdout;
    const mode = options.plain ? "plain" : chooseMode(options.json, stream, process.env);
    if (mode !== "json")
      console.log(`${describePlan(plan, file.job, { color: useColor(stream) })}\n`);
    const view = createView({ stream, mode, plan, name });
    try {
      const run = await prepare(
        { file, plan, python: python.executable, device, directory, store, epoch, runId },
        options,
        view,
      );
      const { result, interrupted } = await conduct(run, view);
      view.close();
      const report = await tryToReport(directory);
      if (mode !== "json") {
        const { summary } = result;
        console.log(epilogue({ summary, jobFile: path, directory: directory.path, report }));
      }
      return exitCode(result, interrupted);
    } finally {
      view.close();
      // A full disk may forbid it; then the end of this process frees the run.
      await store.release(runId, epoch).catch(() => {});
    }
  } finally {
    await store.close();
  }
}

type Prepared = {
  file: JobFile;
  plan: Plan;
  python: string;
  device: "cpu" | "cuda";
  directory: RunDirectory;
  store: RunStore;
  epoch: number;
  runId: string;
};

/** Settles where the run begins: at the first step, or behind a checkpoint. */
async function prepare(given: Prepared, options: TrainOptions, view: View): Promise<LocalRun> {
  const { file, plan, directory, store, epoch, runId } = given;
  const { job } = file;
  const engineJob = compileJob(job, {
    checkpointDirectory: directory.checkpoints,
    cacheDirectory: cacheDirectory(),
    device: given.device,
  });
  const controlLaw = controllerOptions(job);
  const notes: ResumeNote[] = [];
  const ledger = new CheckpointLedger(directory.checkpoints);
  const restore = options.resume
    ? await checkpointToResume(ledger, engineJob, (note) => notes.push(note))
    : undefined;
  const { weights } = job.model;
  if (weights !== undefined && !restore) engineJob.initialWeights = await initialWeights(weights);
  ledger.setAsideAfter(restore?.manifest.step ?? 0);
  copyFileSync(file.path, directory.job);
  rmSync(directory.summary, { force: true });
  writeAtomically(directory.plan, `${JSON.stringify(toJson(PlanSchema, plan), null, 2)}\n`);
  // The number is stored before any process of the generation starts.
  const generation = await store.nextGeneration(runId, epoch);
  return new LocalRun({
    ...{ runId, name: job.name, directory, engineJob, plan, python: given.python },
    ...{ epoch, generation, ledger, restore, observer: view, listen: options.listen },
    authorityDirectory: stateDirectory(),
    controlLaw,
    notes,
    controller: restore
      ? restoreController(
          controlLaw,
          restore.manifest.controller,
          job.model.layers,
          restore.manifest.step,
        )
      : createController(controlLaw, job.model.layers),
    keepCheckpoints: job.checkpoint.keep,
    stateChanged: (state, reason) => store.setState(runId, epoch, state, reason),
  });
}

/** The report's path; a run that has ended well does not fail for want of its report. */
async function tryToReport(directory: RunDirectory): Promise<string | undefined> {
  try {
    return await writeReport(directory.path);
  } catch (error) {
    console.error(writeError(directory.report, error).message);
    return undefined;
  }
}

async function conduct(run: LocalRun, view: View) {
  const signals = stopOnSignals((checkpoint) => run.stop(checkpoint));
  try {
    const result = await run.carryOut();
    view.summary(result.summary);
    return { result, interrupted: signals.asked };
  } finally {
    signals.release();
  }
}

function exitCode({ decision }: LocalRunResult, interrupted: boolean): number {
  if (decision.decision === "succeed") return 0;
  if (decision.decision === "stop") return interrupted ? INTERRUPTED : 0;
  return decision.userError ? 2 : 1;
}

function parseAddress(text: string): { host: string; port: number } {
  const match = /^(?<host>[^:\s]+):(?<port>\d{1,5})$/.exec(text);
  const port = Number(match?.groups?.port);
  if (!match?.groups?.host || port > 65_535) {
    throw new InvalidArgumentError("give host:port, such as 127.0.0.1:0");
  }
  return { host: match.groups.host, port };
}
