import { appendFileSync } from "node:fs";
import type { EventRecord } from "../report/records.ts";
import { writeError } from "./files.ts";
import type { RunDirectory } from "./run-directory.ts";

/** Adds a line to the events of a run that nobody supervises. */
export function appendEvent(directory: RunDirectory, event: string, message: string): void {
  const record: EventRecord = { time: new Date().toISOString(), event, message };
  try {
    appendFileSync(directory.events, `${JSON.stringify(record)}\n`);
  } catch (error) {
    throw writeError(directory.events, error);
  }
}
