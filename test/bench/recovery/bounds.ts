import { median } from "../jobs.ts";
import type { Rounds } from "../rounds.ts";
import { columns, type Measured } from "./tables.ts";

/** A bound of the issue, and what was measured. */
export type Bound = { what: string; value: number; limit: number; unit: string };

export function boundLine({ what, value, limit, unit }: Bound): string {
  const verdict = value <= limit ? "kept" : "MISSED";
  return `${what}: ${value.toFixed(2)}${unit}, at most ${limit}${unit}: ${verdict}`;
}

/** What the issue asks of the comparison; a bound against a system that was not there is left out. */
export function bounds(measured: Measured): Bound[] {
  const [own, train, torchrun, ray] = ["moestro", "moestro train", "torchrun", "Ray Train"].map(
    (name) => columns(measured.get(name) ?? new Map()),
  );
  const ratio = (a: Rounds | undefined, b: Rounds | undefined) => medianMs(a) / medianMs(b);
  const all = [
    {
      what: "detection of a dead process",
      value: medianMs(own?.detect) / 1000,
      limit: 0.5,
      unit: " s",
    },
    {
      what: "recovery beside torchrun's",
      value: ratio(own?.recover, torchrun?.recover),
      limit: 0.5,
      unit: " ×",
    },
    {
      what: "recovery beside Ray Train's",
      value: ratio(own?.recover, ray?.recover),
      limit: 0.25,
      unit: " ×",
    },
    {
      what: "start on a cluster beside torchrun's",
      value: ratio(own?.start, torchrun?.start),
      limit: 1,
      unit: " ×",
    },
    {
      what: "start of moestro train beside torchrun's",
      value: ratio(train?.start, torchrun?.start),
      limit: 1,
      unit: " ×",
    },
  ];
  return all.filter(({ value }) => !Number.isNaN(value));
}

/** NaN if there was no round. */
function medianMs(rounds: Rounds | undefined): number {
  return median([...(rounds?.values() ?? [])]);
}
