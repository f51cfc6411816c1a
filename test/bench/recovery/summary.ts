import { table } from "../../../coordinator/planner/text-table.ts";
import { median } from "../jobs.ts";
import { type Rounds, ratioText } from "../rounds.ts";
import type { Times } from "./setting.ts";

/** The times of a row of the table, by round; a round that failed is left out. */
export type Measured = ReadonlyMap<string, ReadonlyMap<number, Times>>;

const BASE = "torchrun";
const HEADING = ["", "start → first step", "kill → said so", "kill → first new step of all ranks"];

/** Medians, the least and the most, one line a system, and its recovery beside torchrun's. */
export function timesTable(measured: Measured): string[] {
  const base = columns(measured.get(BASE) ?? new Map());
  const rows = [...measured].map(([name, rounds]) => {
    const { start, detect, recover } = columns(rounds);
    const isBase = name === BASE;
    return [
      name,
      beside(spread(start), start, base.start, isBase),
      spread(detect),
      beside(spread(recover), recover, base.recover, isBase),
    ];
  });
  return table([HEADING, ...rows]);
}

/** Where the time between the last step and the first new one went, for the systems that say so. */
export function stagesTable(measured: Measured): string[] {
  const rows = [...measured].flatMap(([name, rounds]) => {
    const stages = [...rounds.values()].flatMap(({ stages }) => (stages ? [stages] : []));
    return stages.length > 0 ? [{ name, stages }] : [];
  });
  if (rows.length === 0) return [];
  const names = Object.keys(rows[0]?.stages[0] ?? {});
  const cells = rows.map(({ name, stages }) => [
    name,
    ...names.map(
      (stage) => `${(median(stages.map((one) => one[stage] ?? 0)) / 1000).toFixed(2)} s`,
    ),
  ]);
  return table([["medians", ...names], ...cells]);
}

/** A bound of the issue, and what was measured. */
export type Bound = { what: string; value: number; limit: number; unit: string };

export function boundLine({ what, value, limit, unit }: Bound): string {
  const verdict = value <= limit ? "kept" : "MISSED";
  return `${what}: ${value.toFixed(2)}${unit}, at most ${limit}${unit}: ${verdict}`;
}

/** What the issue asks of the comparison; a bound against a system that was not there is left out. */
export function bounds(measured: Measured): Bound[] {
  const of = (name: string) => columns(measured.get(name) ?? new Map());
  const [own, train, torchrun, ray] = ["moestro", "moestro train", BASE, "Ray Train"].map(of);
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

function columns(
  rounds: ReadonlyMap<number, Times>,
): Record<"start" | "detect" | "recover", Rounds> {
  const column = (name: "start" | "detect" | "recover"): Rounds =>
    new Map(
      [...rounds].flatMap(([round, times]) => {
        const ms = times[name];
        return ms === undefined ? [] : [[round, ms] as const];
      }),
    );
  return { start: column("start"), detect: column("detect"), recover: column("recover") };
}

function medianMs(rounds: Rounds | undefined): number {
  return median([...(rounds?.values() ?? [])]);
}

function spread(rounds: Rounds): string {
  if (rounds.size === 0) return "–";
  const seconds = [...rounds.values()].map((ms) => ms / 1000);
  const text = (value: number) => value.toFixed(2);
  return `${text(median(seconds))} s (${text(Math.min(...seconds))} to ${text(Math.max(...seconds))})`;
}

function beside(text: string, times: Rounds, base: Rounds, isBase: boolean): string {
  return isBase || times.size === 0 ? text : `${text}, ${ratioText(times, base)}`;
}
