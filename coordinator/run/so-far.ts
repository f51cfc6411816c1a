import type { MetricsRecord, SoFarRecord } from "../report/records.ts";
import { LineReader } from "./line-reader.ts";
import { parseMetrics } from "./metrics-lines.ts";

/** Share of the steps, at each end, over which a run's drop rates are means. */
const WINDOW_SHARE = 0.1;

export const NO_STEPS: SoFarRecord = { steps: 0, stepMs: 0, dropRate: 0 };

/** The sums with one more line. */
export function addStep(soFar: SoFarRecord, record: MetricsRecord): SoFarRecord {
  const { numSteps = 1, stepMs, layers, validationLoss = soFar.validationLoss } = record;
  const dropRate = layers.reduce((sum, layer) => sum + layer.dropRate, 0);
  return {
    steps: soFar.steps + numSteps,
    stepMs: soFar.stepMs + stepMs * numSteps,
    dropRate: soFar.dropRate + (dropRate / Math.max(1, layers.length)) * numSteps,
    ...(validationLoss === undefined ? {} : { validationLoss }),
  };
}

/** What a run came to, of all its steps that count; null: not measured. */
export type RunFigures = {
  steps: number;
  firstLoss: number | null;
  finalLoss: number | null;
  validationLoss: number | null;
  /** Of the first steps, and of the last: means over steps and layers. */
  meanDropRateFirst: number | null;
  meanDropRateLast: number | null;
};

/** From a metrics.jsonl, of which a few lines are read. */
export function runFigures(path: string): RunFigures {
  const figures = LineReader.read(path, (lines) => {
    const first = parse(lines.first?.text);
    const last = parse(lines.last?.text);
    if (!first || !last) return undefined;
    const all = soFarOf(last);
    const window = Math.max(1, Math.round(all.steps * WINDOW_SHARE));
    /** The sums over the first so many steps, or a few more where lines stand for several. */
    const after = (steps: number) =>
      soFarOf(parse(lines.find((text) => soFarOf(parse(text)).steps >= steps)?.text));
    const begin = after(window);
    const before = all.steps > window ? after(all.steps - window) : NO_STEPS;
    return {
      ...{ steps: last.step, firstLoss: first.loss, finalLoss: last.loss },
      validationLoss: all.validationLoss ?? null,
      meanDropRateFirst: mean(begin.dropRate, begin.steps),
      meanDropRateLast: mean(all.dropRate - before.dropRate, all.steps - before.steps),
    };
  });
  return figures ?? NO_FIGURES;
}

const NO_FIGURES: RunFigures = {
  ...{ steps: 0, firstLoss: null, finalLoss: null, validationLoss: null },
  ...{ meanDropRateFirst: null, meanDropRateLast: null },
};

export function soFarOf(record: MetricsRecord | undefined): SoFarRecord {
  return record?.soFar ?? NO_STEPS;
}

function parse(text: string | undefined): MetricsRecord | undefined {
  return text === undefined ? undefined : parseMetrics(text);
}

function mean(sum: number, count: number): number | null {
  return count > 0 ? Math.max(0, sum / count) : null;
}
