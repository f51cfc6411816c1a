import { create } from "@bufbuild/protobuf";
import { Command } from "commander";
import { z } from "zod";
import { WatchEventsRequestSchema } from "../../proto/gen/moestro/v1/run_pb.js";
import { coordinatorOption } from "./context.ts";
import { follow } from "./follow.ts";
import { runsDirectoryOption } from "./options.ts";
import { printLine } from "./print.ts";
import { coordinatorsOf, runMethods, type Where } from "./run-client.ts";
import { untilInterrupted } from "./until-interrupted.ts";
import { Untold } from "./untold.ts";
import { sanitize } from "./view/text.ts";

type EventsOptions = Where & { follow: boolean; json: boolean };

const eventSchema = z.object({ time: z.string(), event: z.string(), message: z.string() });

export function eventsCommand(): Command {
  return new Command("events")
    .description("show what happened to a run, oldest first")
    .argument("<run>", "id of the run")
    .option("--follow", "go on showing it until the run ends", false)
    .option("--json", "one JSON object a line, with all details", false)
    .addOption(runsDirectoryOption())
    .addOption(coordinatorOption())
    .action(async (runId: string, { json, ...options }: EventsOptions) => {
      const coordinators = await coordinatorsOf(options, runId);
      const request = create(WatchEventsRequestSchema, { runId, follow: options.follow });
      const untold = new Untold();
      process.exitCode = await untilInterrupted(async (signal) => {
        const again = () => untold.again();
        const method = runMethods.watchEvents;
        const stream = follow({ runId, coordinators, method, request, signal, again });
        for await (const { line } of stream) {
          if (untold.take(1) === 0) continue;
          if (json) console.log(line);
          else printLine(eventLine(line));
        }
        return 0;
      });
    });
}

/** An event for people: time, name, message. A line that is none is shown as it is. */
export function eventLine(line: string): string {
  try {
    const { time, event, message } = eventSchema.parse(JSON.parse(line));
    return sanitize(`${time}  ${event}: ${message}`);
  } catch {
    return sanitize(line);
  }
}
