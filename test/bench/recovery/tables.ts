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

/** The milliseconds of every round, by what was measured. */
export function columns(
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

function spread(rounds: Rounds): string {
  if (rounds.size === 0) return "–";
  const seconds = [...rounds.values()].map((ms) => ms / 1000);
  const text = (value: number) => value.toFixed(2);
  return `${text(median(seconds))} s (${text(Math.min(...seconds))} to ${text(Math.max(...seconds))})`;
}

function beside(text: string, times: Rounds, base: Rounds, isBase: boolean): string {
  return isBase || times.size === 0 || base.size === 0
    ? text
    : `${text}, ${ratioText(times, base)}`;
}
