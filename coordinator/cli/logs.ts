import { create } from "@bufbuild/protobuf";
import { Command } from "commander";
import { ReadLogRequestSchema } from "../../proto/gen/moestro/v1/run_pb.js";
import { coordinatorOption } from "./context.ts";
import { follow } from "./follow.ts";
import { newOfLog } from "./log-chunks.ts";
import { runsDirectoryOption } from "./options.ts";
import { coordinatorsOf, runMethods, type Where } from "./run-client.ts";
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
    .option(
      "--follow",
      "go on showing it until the run ends, when its ranks start again too",
      false,
    )
    .addOption(runsDirectoryOption())
    .addOption(coordinatorOption())
    .action(async (runId: string, options: LogsOptions) => {
      process.exitCode = await showLogs(runId, options);
    });
}

async function showLogs(runId: string, options: LogsOptions): Promise<number> {
  const { rank } = options;
  const coordinators = await coordinatorsOf(options, runId);
  const generation = BigInt(options.generation);
  const request = create(ReadLogRequestSchema, {
    ...{ runId, rank, generation, follow: options.follow },
  });
  let log = newOfLog(rank === ALL_RANKS);
  let shown = 0n;
  const again = () => {
    // What was shown of the generations before is not asked for again.
    if (shown !== 0n) request.generation = shown;
    log.again();
  };
  return untilInterrupted(async (signal) => {
    const method = runMethods.readLog;
    const stream = follow({ runId, coordinators, method, request, signal, again });
    for await (const { chunk, generation } of stream) {
      if (generation !== shown) {
        if (shown !== 0n) console.error(`--- generation ${generation}`);
        shown = generation;
        log = newOfLog(rank === ALL_RANKS);
      }
      process.stdout.write(log.take(chunk));
    }
    return 0;
  });
}

function parseRank(text: string): number {
  return text === "all" ? ALL_RANKS : wholeNumber(0)(text);
}
