import type { MetricsRecord } from "../../../coordinator/report/records.ts";
import { mean } from "./spread.ts";

/** A figure over steps: the seeds' mean with the least and the most of any seed. */
export type Curve = { steps: number[]; mean: number[]; min: number[]; max: number[] };

/** Points of a curve: fewer than a figure has pixels, enough to hide a single step's noise. */
const MAX_POINTS = 40;

type Point = { step: number; value: number };

/**
 * The curve of a figure that a step may lack. Neighbouring steps are put
 * together by their mean, seed by seed, before seeds are compared: the band
 * then shows how far seeds lie apart, not how far steps do.
 *
 * @param runs the records of each seed, all of the same steps
 */
export function curveOf(
  runs: readonly (readonly MetricsRecord[])[],
  figure: (record: MetricsRecord) => number | undefined,
): Curve {
  const perSeed = runs.map((records) => binned(measured(records, figure)));
  const [first = []] = perSeed;
  const at = first.map((_, index) => perSeed.map((points) => points[index]?.value ?? Number.NaN));
  return {
    steps: first.map(({ step }) => step),
    mean: at.map(mean),
    min: at.map((values) => Math.min(...values)),
    max: at.map((values) => Math.max(...values)),
  };
}

function measured(
  records: readonly MetricsRecord[],
  figure: (record: MetricsRecord) => number | undefined,
): Point[] {
  return records.flatMap((record) => {
    const value = figure(record);
    return value === undefined ? [] : [{ step: record.step, value }];
  });
}

/** Means of equally many neighbours, each at the middle of its steps. */
function binned(points: readonly Point[]): Point[] {
  const width = Math.ceil(points.length / MAX_POINTS);
  return Array.from({ length: Math.ceil(points.length / width) }, (_, index) => {
    const some = points.slice(index * width, (index + 1) * width);
    return { step: mean(some.map(({ step }) => step)), value: mean(some.map((p) => p.value)) };
  });
}
