import type { LayerRecord, MetricsRecord } from "../../../coordinator/report/records.ts";
import { type Curve, curveOf } from "./curve.ts";
import type { Arm, Cell } from "./grid.ts";
import { mean, type Spread, spreadOf } from "./spread.ts";

/** What is told of one arm, every figure over its seeds; layers' figures are means over layers. */
export type ArmResult = {
  arm: Arm;
  /** Mean of the last tenth of the steps. */
  trainingLoss: Spread;
  /** After the last step. */
  validationLoss: Spread;
  /** Mean of the last third of the steps. */
  dropRate: Spread;
  /** In the last step, layer by layer. */
  coefficients: Spread[];
  /** After the last step. */
  similarity: Spread;
  curves: { dropRate: Curve; loss: Curve; coefficient: Curve; similarity: Curve };
};

export type Results = {
  steps: number;
  tokensPerStep: number;
  seeds: number[];
  arms: ArmResult[];
};

const LOSS_SHARE = 1 / 10;
const DROP_SHARE = 1 / 3;

/** Puts the runs of each arm together. */
export function summarize(
  arms: readonly Arm[],
  cells: readonly Cell[],
  read: (id: string) => MetricsRecord[],
): Results {
  const results = arms.map((arm) => {
    const own = cells.filter((cell) => cell.arm.id === arm.id);
    return { seeds: own.map(({ seed }) => seed), runs: own.map(({ id }) => read(id)), arm };
  });
  const last = results[0]?.runs[0]?.at(-1);
  return {
    steps: last?.step ?? 0,
    tokensPerStep: last?.tokens ?? 0,
    seeds: results[0]?.seeds ?? [],
    arms: results.map(({ arm, runs }) => armResult(arm, runs)),
  };
}

function armResult(arm: Arm, runs: readonly MetricsRecord[][]): ArmResult {
  const over = (figure: (records: MetricsRecord[]) => number) => spreadOf(runs.map(figure));
  const numLayers = runs[0]?.[0]?.layers.length ?? 0;
  return {
    arm,
    trainingLoss: over((records) => mean(tail(records, LOSS_SHARE).map(({ loss }) => loss))),
    validationLoss: over((records) => records.at(-1)?.validationLoss ?? Number.NaN),
    dropRate: over((records) => mean(tail(records, DROP_SHARE).map(dropRate))),
    coefficients: Array.from({ length: numLayers }, (_, layer) =>
      over((records) => records.at(-1)?.layers[layer]?.auxCoeff ?? Number.NaN),
    ),
    similarity: over((records) => lastSimilarity(records)),
    curves: {
      dropRate: curveOf(runs, dropRate),
      loss: curveOf(runs, ({ loss }) => loss),
      coefficient: curveOf(
        runs,
        overLayers((layer) => layer.auxCoeff),
      ),
      similarity: curveOf(runs, similarity),
    },
  };
}

/** The last steps, at least one. */
function tail<T>(items: readonly T[], share: number): T[] {
  return items.slice(-Math.max(1, Math.round(items.length * share)));
}

function overLayers(figure: (layer: LayerRecord) => number) {
  return ({ layers }: MetricsRecord) => mean(layers.map(figure));
}

const dropRate = overLayers((layer) => layer.dropRate);

/** Undefined in steps that did not measure it. */
function similarity({ layers }: MetricsRecord): number | undefined {
  const values = layers.flatMap(({ expertSimilarity }) => expertSimilarity ?? []);
  return values.length === 0 ? undefined : mean(values);
}

function lastSimilarity(records: readonly MetricsRecord[]): number {
  return records.map(similarity).findLast((value) => value !== undefined) ?? Number.NaN;
}
