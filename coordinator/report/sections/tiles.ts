import { formatBytes, formatDuration, formatFixed, formatPercent, formatWhole } from "../format.ts";
import { type Html, html } from "../html.ts";
import type { RunFiles } from "../read-run.ts";

type Tile = { name: string; value: string; note: string };

/** The headline figures; from the metrics where the summary has none. */
export function tiles(run: RunFiles): Html | undefined {
  if (run.metrics.length === 0) return undefined;
  return html`<section aria-label="Headline figures"><dl class="tiles">
${figures(run).map(
  ({ name, value, note }) =>
    html`<div class="tile"><dt>${name}</dt><dd><b>${value}</b> <small>${note}</small></dd></div>\n`,
)}</dl></section>
`;
}

function figures({ summary, metrics }: RunFiles): Tile[] {
  const [first, last] = [metrics[0], metrics.at(-1)];
  const loss = (value: number | null | undefined) => formatFixed(value ?? Number.NaN, 3);
  const validation =
    summary?.validationLoss ??
    metrics.findLast((record) => record.validationLoss !== undefined)?.validationLoss;
  const firstDrop = summary?.meanDropRateFirst ?? meanDrop(first);
  const lastDrop = summary?.meanDropRateLast ?? meanDrop(last);
  const peak = metrics.reduce((most, record) => Math.max(most, record.memory.peakBytes), 0);
  return [
    { name: "Validation loss", value: loss(validation), note: "nats a token" },
    {
      name: "Training loss",
      value: loss(summary?.finalLoss ?? last?.loss),
      note: `from ${loss(summary?.firstLoss ?? first?.loss)}`,
    },
    {
      name: "Tokens dropped",
      value: formatPercent(lastDrop),
      note: `at the end, ${formatPercent(firstDrop)} at the start`,
    },
    {
      name: "Throughput",
      value: formatWhole(summary?.tokensPerSecond ?? last?.tokensPerSecond ?? Number.NaN),
      note: "tokens a second",
    },
    {
      name: "Steps",
      value: formatWhole(summary?.steps ?? last?.step ?? 0),
      note: `in ${formatDuration((summary?.trainSeconds ?? Number.NaN) * 1000)} of training`,
    },
    {
      name: "Peak memory",
      value: formatBytes(peak > 0 ? peak : Number.NaN),
      note: "of the largest rank",
    },
  ];
}

function meanDrop(record: RunFiles["metrics"][number] | undefined): number {
  if (record === undefined) return Number.NaN;
  const total = record.layers.reduce((sum, layer) => sum + layer.dropRate, 0);
  return total / record.layers.length;
}
