import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { GetRunRequestSchema, ScaleRunRequestSchema } from "../../proto/gen/moestro/v1/run_pb.js";
import { MoestroError } from "../errors.ts";
import { type ActionOptions, actionCommand, printTaken } from "./run-action.ts";
import { callRun, runMethods } from "./run-client.ts";
import { wholeNumber } from "./whole-number.ts";

type ScaleOptions = ActionOptions & { min?: number; max?: number };

export function scaleCommand(): Command {
  return actionCommand("scale", "change how many ranks a run may have")
    .argument("<run>", "id of the run")
    .option("--min <ranks>", "fewest ranks (default: as it is)", wholeNumber(1))
    .option("--max <ranks>", "most ranks (default: as it is)", wholeNumber(1))
    .action(async (runId: string, options: ScaleOptions) => {
      const { minRanks, maxRanks } = await wanted(runId, options);
      const request = create(ScaleRunRequestSchema, { runId, minRanks, maxRanks });
      await callRun(options, runId, runMethods.scaleRun, request);
      const range = minRanks === maxRanks ? `${minRanks}` : `${minRanks} to ${maxRanks}`;
      const sentence = `run ${runId} may have ${range} ranks from now on`;
      printTaken(options, { runId, minRanks, maxRanks }, sentence);
    });
}

/** What is asked for; of what is not, the run's own. */
async function wanted(runId: string, options: ScaleOptions) {
  const { min, max } = options;
  if (min === undefined && max === undefined) {
    throw new MoestroError("invalid_input", "--min, --max: give at least one of them");
  }
  if (min !== undefined && max !== undefined) return { minRanks: min, maxRanks: max };
  const request = create(GetRunRequestSchema, { runId });
  const { status } = await callRun(options, runId, runMethods.getRun, request);
  return { minRanks: min ?? status?.minRanks ?? 0, maxRanks: max ?? status?.maxRanks ?? 0 };
}
