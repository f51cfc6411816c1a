import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { create, toJson } from "@bufbuild/protobuf";
import type { Client } from "@grpc/grpc-js";
import { Command } from "commander";
import {
  GetRunRequestSchema,
  type GetRunResponse,
  RunState,
  type RunStatus,
  RunStatusSchema,
  WatchRunRequestSchema,
  type WatchRunResponse,
} from "../../proto/gen/moestro/v1/run_pb.js";
import { MoestroError } from "../errors.ts";
import type { SummaryRecord } from "../report/records.ts";
import { RunDirectory } from "../run/run-directory.ts";
import { openSqliteStore } from "../store/sqlite-store.ts";
import { runsDirectoryOption, STORE_FILE } from "./options.ts";
import { callError, chooseRun, connectToRun, RPC_DEADLINE_MS, runMethods } from "./run-client.ts";

type StatusOptions = { runsDir: string; json: boolean; watch: boolean };

export function statusCommand(): Command {
  return new Command("status")
    .description("show how a run is doing")
    .argument("[run]", "id of the run (default: the newest)")
    .option("--json", "one JSON object (a line each with --watch)", false)
    .option("--watch", "go on showing it until it ends", false)
    .addOption(runsDirectoryOption())
    .action(async (run: string | undefined, options: StatusOptions) => {
      const runId = chooseRun(options.runsDir, run);
      const directory = new RunDirectory(join(options.runsDir, runId));
      if (!existsSync(directory.endpoint)) {
        await showEnded(directory, runId, options);
        return;
      }
      const client = await connectToRun(options.runsDir, runId);
      const show = (status: RunStatus) => console.log(format(status, options.json));
      try {
        if (options.watch) await watchRun(client, runId, show);
        else show(await getRun(client, runId));
      } finally {
        client.close();
      }
    });
}

/** A run that has ended is told from what it left. */
async function showEnded(
  directory: RunDirectory,
  runId: string,
  options: StatusOptions,
): Promise<void> {
  if (!existsSync(directory.summary)) {
    const last = await storedState(options.runsDir, runId);
    throw new MoestroError(
      "run_failed",
      `run ${runId} is not running and left no summary${last}; continue it with: moestro train job.yaml --resume ${runId}`,
    );
  }
  const text = readFileSync(directory.summary, "utf8");
  const summary = JSON.parse(text) as SummaryRecord;
  if (options.json) console.log(JSON.stringify(summary));
  else console.log(`${runId}: ${summary.status} at step ${summary.steps}: ${summary.reason}`);
}

/** What the store last heard of a run whose coordinator could not say its end. */
async function storedState(runsDirectory: string, runId: string): Promise<string> {
  const store = openSqliteStore(join(runsDirectory, STORE_FILE));
  try {
    const run = await store.get(runId);
    if (!run) return "";
    const { state, reason } = run.life;
    return ` (last known: ${state}, generation ${run.generation}: ${reason})`;
  } finally {
    await store.close();
  }
}

function getRun(client: Client, runId: string): Promise<RunStatus> {
  const { path, requestSerialize, responseDeserialize } = runMethods.getRun;
  const request = create(GetRunRequestSchema, { runId });
  const options = { deadline: Date.now() + RPC_DEADLINE_MS };
  return new Promise((resolve, reject) => {
    const reply = (error: Parameters<typeof callError>[1] | null, response?: GetRunResponse) => {
      if (error) reject(callError(runId, error));
      else if (response?.status) resolve(response.status);
      else reject(new MoestroError("run_failed", `run ${runId}: its coordinator sent no status`));
    };
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, options, reply);
  });
}

function watchRun(client: Client, runId: string, show: (status: RunStatus) => void): Promise<void> {
  const { path, requestSerialize, responseDeserialize } = runMethods.watchRun;
  const request = create(WatchRunRequestSchema, { runId });
  const stream = client.makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    request,
  );
  return new Promise((resolve, reject) => {
    stream.on("data", (response: WatchRunResponse) => {
      if (response.status) show(response.status);
    });
    stream.on("end", resolve);
    stream.on("error", (error: Parameters<typeof callError>[1]) => reject(callError(runId, error)));
  });
}

function format(status: RunStatus, json: boolean): string {
  if (json) return JSON.stringify(toJson(RunStatusSchema, status));
  const state = RunState[status.state].toLowerCase();
  const parts = [
    `step ${status.step}/${status.totalSteps}`,
    `loss ${status.loss.toFixed(4)}`,
    ...(status.validationLoss === undefined
      ? []
      : [`validation ${status.validationLoss.toFixed(4)}`]),
    `${Math.round(status.tokensPerSecond)} tokens/s`,
    `drop rate ${(status.dropRate * 100).toFixed(2)} %`,
    `checkpoint ${status.checkpointStep}`,
  ];
  return `${status.runId}: ${state} (${status.reason}): ${parts.join(", ")}`;
}
