import { copyFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import type { JsonValue } from "@bufbuild/protobuf";
import { Command, InvalidArgumentError } from "commander";
import type { Plan } from "../../proto/gen/moestro/v1/plan_pb.js";
import { chooseDevice } from "../environment/device.ts";
import { requirePython } from "../environment/python.ts";
import { describePlan } from "../planner/describe-plan.ts";
import { planJob } from "../planner/plan-job.ts";
import { writeReport } from "../report/write-report.ts";
import { writeError } from "../run/files.ts";
import { CheckpointLedger } from "../run/ledger.ts";
import { LocalRun } from "../run/local-run.ts";
import { refuseMismatch } from "../run/resume.ts";
import { RunDirectory } from "../run/run-directory.ts";
import type { RunEnd } from "../run/run-end.ts";
import { compileJob } from "../spec/compile-job.ts";
import { refuseUntrainable } from "../spec/engine-model.ts";
import { type JobFile, loadJob } from "../spec/load-job.ts";
import type { Job } from "../spec/schema.ts";
import { cacheDirectory, ensureDirectory, stateDirectory } from "../state-directory.ts";
import { currentHolder } from "../store/holder.ts";
import { openSqliteStore } from "../store/sqlite-store.ts";
import type { Held, RunSpec, RunWish, Store } from "../store/store.ts";
import { epilogue } from "./epilogue.ts";
import { INTERRUPTED } from "./exit-codes.ts";
import { parseAddress, runsDirectoryOption, STORE_FILE, useColor } from "./options.ts";
import { planByProbe } from "./plan/plan-probed.ts";
import { newRunId, parseRunId, runToResume } from "./run-ids.ts";
import { stopOnSignals } from "./signals.ts";
import { chooseMode } from "./view/terminal.ts";
import { createView, type View } from "./view/view.ts";

/** Restarts of a run for failures of its own, unless told otherwise. */
const DEFAULT_RESTARTS = 3;
/** The embedded store asks whether the process lives; it never waits for a lease to end. */
const LEASE_MS = 10_000;

type TrainOptions = {
  resume?: true | string;
  runId?: string;
  runsDir: string;
  json: boolean;
  plain: boolean;
  listen: { host: string; port: number };
  maxRestarts: number;
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
    .option(
      "--max-restarts <n>",
      "start the ranks again this often when some fail by themselves",
      parseCount,
      DEFAULT_RESTARTS,
    )
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
  const runsDirectory = ensureDirectory(resolve(options.runsDir));
  const { name } = file.job;
  const runId = options.resume
    ? runToResume(runsDirectory, name, options.resume)
    : newRunId(runsDirectory, name, options.runId, new Date());
  const directory = new RunDirectory(ensureDirectory(join(runsDirectory, runId)));
  const store = openSqliteStore(join(runsDirectory, STORE_FILE));
  try {
    const held = await store.acquire(`run:${runId}`, currentHolder(), LEASE_MS);
    const stream = process.stdout;
    const mode = options.plain ? "plain" : chooseMode(options.json, stream, process.env);
    if (mode !== "json")
      console.log(`${describePlan(plan, file.job, { color: useColor(stream) })}\n`);
    const view = createView({ stream, mode, plan, name });
    try {
      const given = { file, plan, python: python.executable, directory, store, held, runId };
      const run = await prepare(given, options, view);
      const { end, interrupted } = await conduct(run, view);
      view.close();
      const report = await tryToReport(directory);
      if (mode !== "json" && end.summary) {
        const { summary } = end;
        console.log(epilogue({ summary, jobFile: path, directory: directory.path, report }));
      }
      return exitCodeOf(end, interrupted);
    } finally {
      view.close();
      // A full disk may forbid it; then the end of this process frees the run.
      await store.release(held).catch(() => {});
    }
  } finally {
    await store.close();
  }
}

type Prepared = {
  file: JobFile;
  plan: Plan;
  python: string;
  directory: RunDirectory;
  store: Store;
  held: Held;
  runId: string;
};

/** Settles whether the run can begin, and leaves its job in its folder. */
async function prepare(given: Prepared, options: TrainOptions, view: View): Promise<LocalRun> {
  const { file, plan, python, directory, store, held, runId } = given;
  const device = await chooseDevice(file.job.cluster);
  const job = { ...file.job, cluster: { ...file.job.cluster, device } };
  if (options.resume) refuseOther(directory, job);
  copyFileSync(file.path, directory.job);
  rmSync(directory.summary, { force: true });
  const { ranks } = file.job.cluster;
  const spec: RunSpec = {
    ...{ name: job.name, owner: "", priority: 0, submittedAtMs: Date.now() },
    ...{ job: job as unknown as JsonValue, maxRestarts: options.maxRestarts },
  };
  const wish: RunWish = { phase: "run", minRanks: ranks, maxRanks: ranks, checkpoints: 0 };
  const stored = await store.get(runId);
  if (!stored) await store.create(runId, spec, wish);
  return new LocalRun({
    run: {
      ...{ runId, spec, job, wish, life: undefined, generation: stored?.generation ?? 0 },
      ...{ state: "starting", reason: "starting the agent and its ranks" },
    },
    ...{ plan, directory, store, held, python, listen: options.listen, observer: view },
    cacheDirectory: cacheDirectory(),
    authorityDirectory: stateDirectory(),
  });
}

/** A run is continued with the job it was started with: told before anything is started. */
function refuseOther(directory: RunDirectory, job: Job): void {
  const checkpoint = new CheckpointLedger(directory.checkpoints).newestCommitted();
  if (!checkpoint) return;
  const places = { checkpointDirectory: directory.checkpoints, cacheDirectory: cacheDirectory() };
  refuseMismatch(checkpoint, compileJob(job, { ...places, device: "cpu" }));
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
    const end = await run.carryOut();
    if (end.summary) view.summary(end.summary);
    return { end, interrupted: signals.asked };
  } finally {
    signals.release();
  }
}

function exitCodeOf({ state, exitCode }: RunEnd, interrupted: boolean): number {
  return state === "stopped" && interrupted ? INTERRUPTED : exitCode;
}

function parseCount(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("give a whole number of at least 0");
}
