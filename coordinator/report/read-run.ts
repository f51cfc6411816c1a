import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { fromJsonString } from "@bufbuild/protobuf";
import type { z } from "zod";
import { type Plan, PlanSchema } from "../../proto/gen/moestro/v1/plan_pb.js";
import { eventSchema, metricsSchema, summarySchema, timelineSchema } from "./record-schemas.ts";
import type { EventRecord, MetricsRecord, SummaryRecord, TimelineRecord } from "./records.ts";
import { MetricsThinner } from "./thin-metrics.ts";

/** Records kept in memory: more than a wide screen has pixels for. */
const MAX_RECORDS = 1500;
/** Events kept: the last ones, as a run's end is what people look for. */
const MAX_EVENTS = 500;

/** What a run's folder holds, as far as it could be read. */
export type RunFiles = {
  plan: Plan | undefined;
  metrics: MetricsRecord[];
  /** Steps one metrics record stands for: 1 unless the run is very long. */
  stepsPerRecord: number;
  events: EventRecord[];
  /** Events left out in front of `events`. */
  eventsLeftOut: number;
  /** Kept apart, as a run of many ranks has many events in between. */
  firstEvent: EventRecord | undefined;
  dataPrepared: EventRecord | undefined;
  summary: SummaryRecord | undefined;
  timeline: TimelineRecord | undefined;
  /** One sentence for each thing that is missing or damaged. */
  notes: string[];
};

/** Reads whatever is there; nothing missing or damaged is an error. */
export async function readRun(runDirectory: string): Promise<RunFiles> {
  const notes: string[] = [];
  const file = (name: string) => join(runDirectory, name);

  const thinner = new MetricsThinner(MAX_RECORDS);
  await readLines(file("metrics.jsonl"), metricsSchema, (record) => thinner.add(record), notes);

  let events: EventRecord[] = [];
  let eventsLeftOut = 0;
  let firstEvent: EventRecord | undefined;
  let dataPrepared: EventRecord | undefined;
  const keep = (event: EventRecord) => {
    events.push(event);
    firstEvent ??= event;
    if (event.event === "data.prepared") dataPrepared = event;
    if (events.length < 2 * MAX_EVENTS) return;
    eventsLeftOut += events.length - MAX_EVENTS;
    events = events.slice(-MAX_EVENTS);
  };
  await readLines(file("events.jsonl"), eventSchema, keep, notes);
  eventsLeftOut += Math.max(0, events.length - MAX_EVENTS);

  return {
    plan: await readJson(
      file("plan.json"),
      (text) => fromJsonString(PlanSchema, text, { ignoreUnknownFields: true }),
      notes,
    ),
    metrics: thinner.records(),
    stepsPerRecord: thinner.stepsPerRecord,
    events: events.slice(-MAX_EVENTS),
    eventsLeftOut,
    firstEvent,
    dataPrepared,
    summary: await readJson(
      file("summary.json"),
      (text) => summarySchema.parse(JSON.parse(text)),
      notes,
    ),
    timeline: await readJson(
      file("timeline.json"),
      (text) => timelineSchema.parse(JSON.parse(text)),
      notes,
    ),
    notes,
  };
}

async function readJson<T>(
  path: string,
  parse: (text: string) => T,
  notes: string[],
): Promise<T | undefined> {
  const name = basename(path);
  try {
    return parse(await readFile(path, "utf8"));
  } catch (error) {
    notes.push(
      isMissing(error) ? `${name} is missing.` : `${name} could not be read and was left out.`,
    );
    return undefined;
  }
}

async function readLines<T>(
  path: string,
  schema: z.ZodType<T>,
  take: (record: T) => void,
  notes: string[],
): Promise<void> {
  const name = basename(path);
  let line = 0;
  const damaged: number[] = [];
  try {
    const lines = createInterface({ input: createReadStream(path, "utf8"), crlfDelay: Infinity });
    for await (const text of lines) {
      line += 1;
      if (text.trim() === "") continue;
      const record = schema.safeParse(parseOrUndefined(text));
      if (record.success) take(record.data);
      else damaged.push(line);
    }
  } catch (error) {
    notes.push(isMissing(error) ? `${name} is missing.` : `${name} could not be read to its end.`);
  }
  if (damaged.length === 0) return;
  const where =
    damaged.length === 1
      ? `line ${damaged[0]}`
      : `${damaged.length} lines, the first is line ${damaged[0]},`;
  notes.push(
    damaged.length === 1 && damaged[0] === line
      ? `${name}: the last line is cut off and was left out.`
      : `${name}: ${where} could not be read and was left out.`,
  );
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
