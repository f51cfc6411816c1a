import { significant } from "./format.ts";
import type { MetricsRecord } from "./records.ts";

/** Null where there is no figure: uPlot leaves a gap. */
export type Series = (number | null)[];

/** Expert load of all layers as the heat map draws it. */
export type LoadData = {
  numExperts: number;
  /** The last step each column stands for. */
  columnSteps: number[];
  /**
   * One array a layer, `[expert · columns + column]`: load in per cent of the
   * expert's fair share (all assignments / experts); null without a figure.
   */
  layers: Series[];
};

/** What the report's scripts draw from: the JSON inside the page. */
export type PageData = {
  steps: number[];
  loss: Series;
  validationLoss: Series;
  gradNorm: Series;
  learningRate: Series;
  tokensPerSecond: Series;
  /** Zero-based numbers of the MoE layers, in the order of what follows. */
  layers: number[];
  dropRate: Series[];
  auxCoeff: Series[];
  expertSimilarity: Series[];
  load: LoadData;
};

/** Cells over all layers, columns × experts × layers: bounds the page's size. */
const MAX_CELLS = 240_000;
const MAX_COLUMNS = 500;
const MIN_COLUMNS = 40;

/** Turns a run's records, by rising step, into columns of rounded figures. */
export function buildPageData(metrics: readonly MetricsRecord[]): PageData {
  const column = (figure: (record: MetricsRecord) => number | undefined): Series =>
    metrics.map((record) => rounded(figure(record)));
  const layers = metrics[0]?.layers.map((layer) => layer.layer) ?? [];
  return {
    steps: metrics.map((record) => record.step),
    loss: column((record) => record.loss),
    validationLoss: column((record) => record.validationLoss),
    gradNorm: column((record) => record.gradNorm),
    learningRate: column((record) => record.lr),
    tokensPerSecond: column((record) => record.tokensPerSecond),
    layers,
    dropRate: layers.map((_, i) => column((record) => record.layers[i]?.dropRate)),
    auxCoeff: layers.map((_, i) => column((record) => record.layers[i]?.auxCoeff)),
    expertSimilarity: layers.map((_, i) => column((record) => record.layers[i]?.expertSimilarity)),
    load: buildLoad(metrics, layers.length),
  };
}

function buildLoad(metrics: readonly MetricsRecord[], numLayers: number): LoadData {
  const numExperts = metrics[0]?.layers[0]?.expertLoad.length ?? 0;
  const fitting = Math.floor(MAX_CELLS / Math.max(1, numLayers * numExperts));
  const wanted = Math.max(MIN_COLUMNS, Math.min(MAX_COLUMNS, fitting));
  const width = Math.max(1, Math.ceil(metrics.length / wanted));
  const columns: (readonly MetricsRecord[])[] = [];
  for (let start = 0; start < metrics.length; start += width) {
    columns.push(metrics.slice(start, start + width));
  }
  const layers = Array.from({ length: numLayers }, (_, layer) =>
    Array.from({ length: numExperts }, (_, expert) =>
      columns.map((records) => shareOfFair(records, layer, expert)),
    ).flat(),
  );
  return { numExperts, columnSteps: columns.map((records) => records.at(-1)?.step ?? 0), layers };
}

/** Load of one expert over its fair share, in per cent, summed over records. */
function shareOfFair(
  records: readonly MetricsRecord[],
  layer: number,
  expert: number,
): number | null {
  let own = 0;
  let all = 0;
  let numExperts = 0;
  for (const record of records) {
    const load = record.layers[layer]?.expertLoad ?? [];
    own += load[expert] ?? 0;
    for (const assignments of load) all += assignments;
    numExperts = load.length;
  }
  const percent = Math.round((own * numExperts * 100) / all);
  return Number.isFinite(percent) ? percent : null;
}

/** Five significant digits: finer than a pixel, a third of the bytes. */
function rounded(value: number | undefined): number | null {
  if (value === undefined || !Number.isFinite(value)) return null;
  return Number(significant(value, 5));
}
