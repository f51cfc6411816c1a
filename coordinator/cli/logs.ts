import { create } from "@bufbuild/protobuf";
import { Command } from "commander";
import { GetRunRequestSchema, ReadLogRequestSchema } from "../../proto/gen/moestro/v1/run_pb.js";
import { coordinatorOption } from "./context.ts";
import { follow } from "./follow.ts";
import { newOfLog } from "./log-chunks.ts";
import { runsDirectoryOption } from "./options.ts";
import { callRun, coordinatorsOf, runMethods, type Where } from "./run-client.ts";
import { untilInterrupted } from "./until-interrupted.ts";
import { wholeNumber } from "./whole-number.ts";

const ALL_RANKS = -1;

type LogsOptions = Where & { rank: number; generation: number; follow: boolean };

export function logsCommand(): Command {
  return new Command("logs")
    .description("show what the ranks of a run printed")
    .argument("<run>", "id of the run")
    .option("--rank <n|all>", "which rank; all have their numbers before each line", parseRank, -1)
    .option("--generation <n>", "which start of the ranks (default: the newest)", wholeNumber(1), 0)
    .option("--follow", "go on showing it until the run ends", false)
    .addOption(runsDirectoryOption())
    .addOption(coordinatorOption())
    .action(async (runId: string, options: LogsOptions) => {
      process.exitCode = await showLogs(runId, options);
    });
}

async function showLogs(runId: string, options: LogsOptions): Promise<number> {
  const { rank } = options;
  const coordinators = await coordinatorsOf(options, runId);
  const generation = BigInt(options.generation) || (await newestGeneration(runId, options));
  const request = create(ReadLogRequestSchema, {
    ...{ runId, rank, generation, follow: options.follow },
  });
  const log = newOfLog(rank === ALL_RANKS);
  return untilInterrupted(async (signal) => {
    const method = runMethods.readLog;
    const again = () => log.again();
    const stream = follow({ runId, coordinators, method, request, signal, again });
    for await (const { chunk } of stream) process.stdout.write(log.take(chunk));
    return 0;
  });
}

/** Asked for first, so that a stream that begins anew is of the same ranks. */
async function newestGeneration(runId: string, where: Where): Promise<bigint> {
  const request = create(GetRunRequestSchema, { runId });
  const { status } = await callRun(where, runId, runMethods.getRun, request);
  return status?.generation ?? 0n;
}

function parseRank(text: string): number {
  return text === "all" ? ALL_RANKS : wholeNumber(0)(text);
}
