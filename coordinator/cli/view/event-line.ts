import type { EventRecord } from "../../report/records.ts";
import { type Line, span } from "./line.ts";
import { sanitize } from "./text.ts";

/** An event with the time of day, UTC. */
export function eventLine({ time, event, message }: EventRecord): Line {
  const at = new Date(time);
  const clock = Number.isNaN(at.getTime()) ? "        " : at.toISOString().slice(11, 19);
  return [span(`${clock} `, "dim"), span(`${sanitize(event)}  `, "bold"), span(sanitize(message))];
}
