import { contrasts } from "./contrasts.ts";
import type { Spread } from "./spread.ts";
import type { Results } from "./summarize.ts";

/** A header and rows of cells. */
export type Table = { title: string; header: string[]; rows: string[][] };

/** Every arm's figures, and the arms against each other. */
export function tablesOf(results: Results): Table[] {
  return [armsTable(results), contrastsTable(results)];
}

function armsTable({ arms, seeds }: Results): Table {
  return {
    title: seeds.length === 1 ? "One seed" : `Mean ± standard deviation over ${seeds.length} seeds`,
    header: [
      "gate normalisation",
      "balancing",
      "training loss",
      "validation loss",
      "drop rate",
      "expert similarity",
      "last α by layer",
    ],
    rows: arms.map(({ arm, ...figures }) => [
      arm.normalized ? "λ = 1" : "off",
      arm.balancing.name,
      spread(figures.trainingLoss, plain(3)),
      spread(figures.validationLoss, plain(3)),
      `${spread(figures.dropRate, percent)} %`,
      spread(figures.similarity, plain(4)),
      byLayer(figures.coefficients),
    ]),
  };
}

function contrastsTable(results: Results): Table {
  return {
    title: "Differences between runs of one seed, and in how many seeds they are below zero",
    header: ["difference", "validation loss", "drop rate, percentage points", "expert similarity"],
    rows: contrasts(results).map(({ name, validationLoss, dropRate, similarity }) => [
      name,
      difference(validationLoss, plain(3)),
      difference(dropRate, percent),
      difference(similarity, plain(4)),
    ]),
  };
}

/** Said once where all layers have the same. */
function byLayer(coefficients: readonly Spread[]): string {
  const texts = coefficients.map(({ mean }) => String(Number(mean.toPrecision(2))));
  return new Set(texts).size === 1 ? (texts[0] ?? "") : texts.join(" ");
}

type Format = (value: number) => string;

const plain = (digits: number): Format => {
  return (value) => value.toFixed(digits);
};
const percent: Format = (value) => (value * 100).toFixed(2);

function spread({ mean, deviation, values }: Spread, format: Format): string {
  const around = values.length > 1 ? ` ± ${format(deviation)}` : "";
  return `${minus(format(mean))}${around}`;
}

function difference(of: Spread, format: Format): string {
  const below = of.values.filter((value) => value < 0).length;
  const sign = of.mean >= 0 ? "+" : "";
  return `${sign}${spread(of, format)} (${below} of ${of.values.length})`;
}

/** A minus as wide as a plus. */
function minus(text: string): string {
  return text.replace("-", "−");
}

export function markdown({ title, header, rows }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const rule = line(header.map(() => "---"));
  return [`${title}:`, "", line(header), rule, ...rows.map(line), ""].join("\n");
}
