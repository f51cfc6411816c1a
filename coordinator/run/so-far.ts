import type { MetricsRecord, SoFarRecord } from "../report/records.ts";
import { LineReader } from "./line-reader.ts";
import { newestRecord, parseMetrics } from "./metrics-lines.ts";

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
    const last = newestRecord(lines)?.record;
    const first = last && firstRecord(lines);
    if (!first) return undefined;
    const all = soFarOf(last);
    const window = Math.max(1, Math.round(all.steps * WINDOW_SHARE));
    /** The sums over the first so many steps, or a few more where lines stand for several. */
    const after = (steps: number) => {
      const isAfter = (text: string) => {
        const record = parseMetrics(text);
        return record && soFarOf(record).steps >= steps;
      };
      return soFarOf(parseMetrics(lines.find(isAfter)?.text ?? ""));
    };
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

/** As far as the newest step alone tells. */
export function figuresOf(last: MetricsRecord | undefined): RunFigures {
  if (!last) return NO_FIGURES;
  const validationLoss = last.validationLoss ?? last.soFar?.validationLoss ?? null;
  return { ...NO_FIGURES, steps: last.step, finalLoss: last.loss, validationLoss };
}

/** Lines of older versions have no sums: figures of a run that goes on from them begin behind them. */
export function soFarOf(record: MetricsRecord | undefined): SoFarRecord {
  return record?.soFar ?? NO_STEPS;
}

/** Of the first line that is not damaged. */
function firstRecord(lines: LineReader): MetricsRecord | undefined {
  for (const { text } of lines.from(0)) {
    const record = parseMetrics(text);
    if (record) return record;
  }
  return undefined;
}

function mean(sum: number, count: number): number | null {
  return count > 0 ? Math.max(0, sum / count) : null;
}
