import { conditionsNow, refusedWords } from "./condition-words.ts";
import type { JobEvent } from "./job-events.ts";
import type { Observation, Refusal } from "./observation.ts";
import { standingOf } from "./standing.ts";

/**
 * Events of what was refused in a look and not in the one before. The one whose words the
 * condition Admitted will have is left out: that condition has an Event of its own. Pure.
 */
export function refusalEvents(seen: Observation, refusals: readonly Refusal[]): JobEvent[] {
  const { Admitted } = conditionsNow({ ...seen, refusals }, standingOf(seen));
  const known = new Set([Admitted.message, ...seen.refusals.map(refusedWords)]);
  return refusals
    .map(refusedWords)
    .filter((message) => !known.has(message))
    .map((message) => ({ type: "Warning", reason: "ChildRefused", message }));
}

/** Whether one of a child was refused that was not before, in whatever words. */
export function isNewlyRefused({ refusals: before }: Observation, now: readonly Refusal[]) {
  return now.some(
    ({ kind, name }) => !before.some((known) => known.kind === kind && known.name === name),
  );
}
