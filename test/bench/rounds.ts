import { median } from "./jobs.ts";

/** A form's milliseconds by round; a slow form may sit rounds out. */
export type Rounds = ReadonlyMap<number, number>;

/** Every form's times, of one JSON line a round and form. */
export function readRounds(text: string): Map<string, Rounds> {
  const times = new Map<string, Map<number, number>>();
  for (const line of text.trim().split("\n")) {
    const { round, form, ms } = JSON.parse(line) as { round: number; form: string; ms: number };
    times.set(form, (times.get(form) ?? new Map()).set(round, ms));
  }
  return times;
}

/** Times of a form that took part in every round. */
export function byRound(times: readonly number[]): Rounds {
  return new Map(times.entries());
}

export function medianOf(times: Rounds): number {
  return median([...times.values()]);
}

/** Ratios of the rounds that both took part in: median, least and most. */
export function ratioText(times: Rounds, bases: Rounds): string {
  const ratios: number[] = [];
  for (const [round, ms] of times) {
    const base = bases.get(round);
    if (base !== undefined) ratios.push(ms / base);
  }
  if (ratios.length === 0) return "no round in common";
  const sorted = ratios.toSorted((a, b) => a - b);
  return `ratio ${median(ratios).toFixed(3)} (${sorted[0]?.toFixed(3)} to ${sorted.at(-1)?.toFixed(3)})`;
}
