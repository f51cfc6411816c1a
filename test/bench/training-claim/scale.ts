/** Maps a figure's values to places between two ends. */
export type Scale = { place(value: number): number; ticks: number[] };

/** Ticks at round numbers, about so many. */
export function linearScale(
  [low, high]: readonly [number, number],
  [from, to]: readonly [number, number],
  numTicks: number,
): Scale {
  const step = roundStep((high - low) / numTicks);
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return {
    place: (value) => from + ((value - low) / (high - low)) * (to - from),
    // Rounding: 3 · 0.1 is not 0.3.
    ticks: Array.from({ length: count }, (_, i) => Number(((first + i) * step).toPrecision(12))),
  };
}

/** Ticks at 1, 2 and 5 of every power of ten, or at the powers alone where those are many. */
export function logScale(
  [low, high]: readonly [number, number],
  [from, to]: readonly [number, number],
): Scale {
  const [bottom, top] = [Math.log10(low), Math.log10(high)];
  const powers = Array.from(
    { length: Math.ceil(top) - Math.floor(bottom) + 1 },
    (_, index) => Math.floor(bottom) + index,
  );
  const within = (factors: readonly number[]) =>
    powers
      .flatMap((power) => factors.map((factor) => Number(`${factor}e${power}`)))
      .filter((tick) => tick >= low && tick <= high);
  const fine = within([1, 2, 5]);
  return {
    place: (value) => from + ((Math.log10(value) - bottom) / (top - bottom)) * (to - from),
    ticks: fine.length <= 8 ? fine : within([1]),
  };
}

/** The least of 1, 2, 5 times a power of ten that is not below. */
function roundStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((one) => one * power >= rough * (1 - 1e-9)) ?? 10;
  return factor * power;
}
